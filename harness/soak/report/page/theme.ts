const STORAGE_KEY = 'tidemark-theme';
const CHOICES = ['system', 'light', 'dark'] as const;
type Choice = (typeof CHOICES)[number];

/**
 * Makes the button of the page work; `changed` is called when other colours are shown, by it or by
 * the system.
 */
export function startTheme(button: HTMLButtonElement, changed: () => void): void {
  let choice = remembered();
  const show = () => {
    if (choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    button.textContent = `Theme: ${choice}`;
    changed();
  };
  button.hidden = false;
  button.addEventListener('click', () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length] as Choice;
    remember(choice);
    show();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  show();
}

/** A colour of the style sheet as a canvas takes it: what the cascade has made of it. */
export function colour(variable: string): string {
  const probe = document.getElementById('colour-probe') as HTMLElement;
  probe.style.color = `var(${variable})`;
  return getComputedStyle(probe).color;
}

// A page from a file may have no storage; it then forgets.
function remembered(): Choice {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return CHOICES.find((choice) => choice === stored) ?? 'system';
  } catch {
    return 'system';
  }
}

function remember(choice: Choice): void {
  try {
    localStorage.setItem(STORAGE_KEY, choice);
  } catch {
    // It holds for as long as the page is open.
  }
}
