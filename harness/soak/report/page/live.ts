import type { LiveUpdate } from '../drawing/page-data.ts';
import type { Charts } from './charts.ts';

/**
 * Follows the run until it is over; a connection that is lost is tried again by the browser itself.
 */
export function followRun(updatesPath: string, charts: Charts): void {
  const source = new EventSource(updatesPath);
  const status = document.getElementById('live-status') as HTMLElement;
  const tell = (state: string, text: string) => {
    status.hidden = false;
    status.dataset.state = state;
    if (status.textContent !== text) status.textContent = text;
  };
  source.addEventListener('open', () => tell('live', 'Live'));
  source.addEventListener('error', () => tell('lost', 'Connection lost, trying again'));
  source.addEventListener('message', ({ data }) => {
    const update = JSON.parse(data as string) as LiveUpdate;
    for (const [id, html] of Object.entries(update.fragments)) {
      const element = document.getElementById(id);
      // What somebody is reading or has selected stays as it is when nothing has changed.
      if (element !== null && element.innerHTML !== html) element.innerHTML = html;
    }
    document.title = update.title;
    if (update.data === undefined) charts.add(update);
    else charts.replace(update.data);
    if (!update.isOver) return;
    source.close();
    tell('over', 'Finished');
  });
}
