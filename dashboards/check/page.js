// Runs in the browser: draws the panels that the check has put into `DASHBOARD`, near enough to Grafana to be judged.
const COLOURS = [
  '#73bf69',
  '#f2cc0c',
  '#8ab8ff',
  '#ff780a',
  '#f2495c',
  '#5794f2',
  '#b877d9',
  '#705da0',
  '#37872d',
];
const NAMED = { green: '#2f8f46', red: '#c4162a', blue: '#1f60c4' };

function scaled(value, base, units) {
  let index = 0;
  let rest = value;
  while (Math.abs(rest) >= base && index < units.length - 1) {
    rest /= base;
    index++;
  }
  return `${digits(rest)}${units[index]}`;
}

function digits(value) {
  if (value === 0) return '0';
  const places = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(places)));
}

function seconds(value) {
  if (value === 0) return '0 s';
  const size = Math.abs(value);
  if (size < 1e-3) return `${digits(value * 1e6)} µs`;
  if (size < 1) return `${digits(value * 1e3)} ms`;
  return size < 120 ? `${digits(value)} s` : `${digits(value / 60)} min`;
}

function format(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  if (unit === 's') return seconds(value);
  if (unit === 'percentunit') return `${digits(value * 100)} %`;
  const bytes = [' B', ' KiB', ' MiB', ' GiB', ' TiB'];
  if (unit === 'bytes') return scaled(value, 1024, bytes);
  if (unit === 'Bps') return `${scaled(value, 1024, bytes)}/s`;
  if (Math.abs(value) < 0.01 && value !== 0) return value.toPrecision(2);
  return scaled(value, 1000, ['', ' k', ' M', ' G']) + (unit === 'ops' ? '/s' : '');
}

function element(parent, kind, className, text) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function thresholdColour(steps, value) {
  const step = steps.filter((each) => each.value === null || value >= each.value).at(-1);
  return NAMED[step.color];
}

const lastOf = ({ points }) => points.filter(([, value]) => value !== null).at(-1)?.[1];

function drawStat(body, panel) {
  const value = lastOf(panel.series[0] ?? { points: [] });
  const word = panel.words[value] ?? format(value, panel.unit);
  const shown = element(body, 'div', 'value', word || 'no data');
  const colour = thresholdColour(panel.steps, value);
  if (panel.steps.length > 1) {
    body.parentElement.style.background = colour;
    shown.style.color = '#fff';
  } else shown.style.color = '#8ab8ff';
}

function drawTable(body, panel) {
  // An instant query: what ended before shows no more.
  const now = Math.max(...panel.series.flatMap(({ points }) => points.map(([time]) => time)));
  const rows = panel.series
    .filter(({ points }) => points.at(-1)?.[0] === now)
    .map((series) => ({ labels: series.labels, value: lastOf(series) }))
    .filter(({ value }) => value !== undefined)
    .sort((left, right) =>
      panel.sortedBy === undefined
        ? right.value - left.value
        : left.labels[panel.sortedBy].localeCompare(right.labels[panel.sortedBy]),
    );
  const names = [...new Set(rows.flatMap(({ labels }) => Object.keys(labels)))].filter(
    (name) => !/^__|^job$/.test(name),
  );
  const table = element(body, 'table');
  const head = element(table, 'tr');
  const lastColumn = panel.sortedBy === undefined ? [panel.series[0]?.legend ?? ''] : [];
  for (const name of [...names, ...lastColumn]) element(head, 'th', '', name);
  for (const { labels, value } of rows.slice(0, 9)) {
    const row = element(table, 'tr');
    for (const name of names) element(row, 'td', '', labels[name] ?? '');
    if (panel.sortedBy !== undefined) continue;
    const cell = element(row, 'td', '', format(value, panel.unit));
    if (panel.steps.length > 1)
      cell.style.color = thresholdColour(panel.steps, value) === NAMED.red ? '#ff5f6d' : '#73bf69';
  }
}

function drawHeatmap(body, panel) {
  const rows = panel.series
    .map(({ labels, points }) => ({
      bound: Number(labels.le.replace('+Inf', 'Infinity')),
      points: new Map(points),
    }))
    .sort((left, right) => left.bound - right.bound);
  const times = [...new Set(rows.flatMap(({ points }) => [...points.keys()]))].sort(
    (left, right) => left - right,
  );
  const cells = rows.map(({ points }, index) =>
    times.map((time) =>
      Math.max(0, (points.get(time) ?? 0) - (rows[index - 1]?.points.get(time) ?? 0)),
    ),
  );
  const most = Math.max(...cells.flat(), 1);
  const canvas = element(body, 'canvas');
  const left = 60;
  canvas.width = body.clientWidth;
  canvas.height = body.clientHeight;
  const context = canvas.getContext('2d');
  const high = (canvas.height - 6) / rows.length;
  const wide = (canvas.width - left) / times.length;
  context.font = '10px sans-serif';
  for (const [index, row] of cells.entries()) {
    const y = canvas.height - (index + 1) * high;
    for (const [column, count] of row.entries()) {
      if (count === 0) continue;
      context.fillStyle = `rgba(255, 120, 10, ${0.15 + 0.85 * Math.sqrt(count / most)})`;
      context.fillRect(left + column * wide, y, wide + 0.5, high - 1);
    }
    context.fillStyle = '#9aa0a8';
    if (index % 3 === 0) context.fillText(format(rows[index].bound, 's') || '+Inf', 2, y + high);
  }
}

function drawTimeseries(body, panel) {
  const busiest = [...panel.series].filter(({ points }) =>
    points.some(([, value]) => value !== null),
  );
  const times = [...new Set(busiest.flatMap(({ points }) => points.map(([time]) => time)))].sort(
    (a, b) => a - b,
  );
  let columns = busiest.map(({ points }) => {
    const byTime = new Map(points);
    return times.map((time) => byTime.get(time) ?? null);
  });
  if (panel.stacked) {
    const sums = times.map(() => 0);
    columns = columns.map((column) => column.map((value, index) => (sums[index] += value ?? 0)));
  }
  const limit = panel.steps.length > 1 ? panel.steps[1].value : undefined;
  const lines = busiest.map(({ legend }, index) => ({
    label: legend,
    stroke:
      panel.baseline !== '' && new RegExp(panel.baseline).test(legend)
        ? '#888'
        : COLOURS[index % COLOURS.length],
    dash: panel.baseline !== '' && new RegExp(panel.baseline).test(legend) ? [6, 6] : undefined,
    width: 1.2,
    points: { show: false },
  }));
  const legend = element(body, 'div', 'legend');
  for (const { label, stroke } of lines.slice(0, 8)) {
    const item = element(legend, 'span');
    element(item, 'i').style.background = stroke;
    item.append(label);
  }
  if (lines.length > 8) element(legend, 'span', '', `and ${lines.length - 8} more`);
  const data = [times, ...columns];
  const highest = Math.max(...columns.flat());
  if (limit !== undefined && limit < 2 * highest) {
    data.push(times.map(() => limit));
    lines.push({
      label: 'alert',
      stroke: NAMED.red,
      dash: [4, 4],
      width: 1,
      points: { show: false },
    });
  }
  const grid = { stroke: '#2c3235', width: 1 };
  const axis = { stroke: '#9aa0a8', grid, ticks: grid, font: '10px sans-serif' };
  new uPlot(
    {
      width: body.clientWidth,
      height: body.clientHeight - legend.offsetHeight - 2,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        y: { range: (_plot, least, most) => [Math.min(0, least ?? 0), (most || 1) * 1.05] },
      },
      axes: [
        axis,
        {
          ...axis,
          size: 62,
          values: (_plot, ticks) => ticks.map((tick) => format(tick, panel.unit)),
        },
      ],
      series: [{}, ...lines],
    },
    data,
    body,
  );
}

const DRAW = { stat: drawStat, table: drawTable, heatmap: drawHeatmap, timeseries: drawTimeseries };
const root = document.querySelector('main');
for (const panel of DASHBOARD.panels) {
  const box = element(root, 'section', panel.type);
  box.style.gridColumn = `${panel.x + 1} / span ${panel.w}`;
  box.style.gridRow = `${panel.y + 1} / span ${panel.h}`;
  element(box, 'h2', '', panel.title);
  if (panel.type === 'row') continue;
  const body = element(box, 'div', 'body');
  if (panel.series.length === 0) element(body, 'p', 'nothing', 'nothing to show');
  else DRAW[panel.type](body, panel);
}
