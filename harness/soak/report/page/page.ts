import type { EventKind, PageData } from '../drawing/page-data.ts';
import { Charts } from './charts.ts';
import { startCopying } from './copy.ts';
import { followRun } from './live.ts';
import { startTheme } from './theme.ts';

const byId = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;

const data = JSON.parse(byId('page-data').textContent ?? '') as PageData;
const charts = new Charts(data, byId<HTMLButtonElement>('reset-window'));
charts.drawAll();
startTheme(byId<HTMLButtonElement>('theme'), () => charts.redraw());
startCopying();
document.addEventListener('click', (event) => {
  const button = (event.target as Element).closest<HTMLButtonElement>('button[data-toggles]');
  if (button === null) return;
  button.setAttribute('aria-pressed', String(charts.toggle(button.dataset.toggles as EventKind)));
});
if (data.updatesPath !== undefined) followRun(data.updatesPath, charts);
