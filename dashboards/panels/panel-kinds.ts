import type { PanelSpec } from './panel.ts';

type Details = Omit<PanelSpec, 'kind'>;

export const stat = (details: Details): PanelSpec => ({ kind: 'stat', ...details });
export const timeseries = (details: Details): PanelSpec => ({ kind: 'timeseries', ...details });
export const table = (details: Details): PanelSpec => ({ kind: 'table', ...details });
export const heatmap = (details: Details): PanelSpec => ({ kind: 'heatmap', ...details });
