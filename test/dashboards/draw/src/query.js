// What Grafana's Prometheus data source does: steps, variables, frames.
import { FieldType, dateMath, rangeUtil, toDataFrame } from '@grafana/data';

const scrape = 30_000;
export const zone = { timezone: 'utc' };

// panelRange is the panel's own time range, by Grafana's own reading of
// timeFrom and timeShift.
export function panelRange(panel, time) {
  let from = dateMath.toDateTime(time.from, zone);
  let to = dateMath.toDateTime(time.to, zone);
  if (panel.timeFrom) {
    const own = rangeUtil.describeTextRange(panel.timeFrom);
    if (own.invalid) {
      throw new Error(`timeFrom ${panel.timeFrom} is not one to Grafana`);
    }
    from = dateMath.toDateTime(own.from, zone);
    to = dateMath.toDateTime(own.to, zone);
  }
  if (panel.timeShift) {
    from = dateMath.parseDateMath('-' + panel.timeShift, from, false);
    to = dateMath.parseDateMath('-' + panel.timeShift, to, true);
  }
  return { from, to, raw: { from, to } };
}

async function ask(base, path, form) {
  const answer = await fetch(`${base}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(form) });
  const body = await answer.json();
  if (body.status !== 'success') {
    throw new Error(`${form.query}: ${body.error}`);
  }
  return body.data.result;
}

function seconds(ms) {
  return `${Math.round(ms / 1000)}s`;
}

// run asks all queries of a panel and returns their frames.
export async function run(base, panel, range, width) {
  const from = range.from.valueOf();
  const to = range.to.valueOf();
  const frames = [];
  for (const target of panel.targets) {
    const least = target.interval ? rangeUtil.intervalToMs(target.interval) : scrape;
    const step = Math.max(rangeUtil.calculateInterval(range, width, `${least}ms`).intervalMs, least);
    const query = target.expr
      .replaceAll('$client', '.*') // All
      .replaceAll('$instance', '.*')
      .replaceAll('$__interval_ms', String(step))
      .replaceAll('$__interval', seconds(step))
      .replaceAll('$__rate_interval', seconds(Math.max(step + least, 4 * least)));
    if (target.instant) {
      const result = await ask(base, 'query', { query, time: to / 1000 });
      frames.push(...(target.format === 'table' ? [table(target, result, panel.targets.length)] : result.map((r) => single(target, r))));
    } else {
      const result = await ask(base, 'query_range', {
        query, start: (Math.floor(from / step) * step) / 1000, end: (Math.floor(to / step) * step) / 1000, step: step / 1000,
      });
      frames.push(...result.map((r) => matrix(target, r, step, Math.floor(from / step) * step, Math.floor(to / step) * step)));
    }
  }
  return frames;
}

function legend(target, metric) {
  const format = target.legendFormat;
  if (!format) {
    return undefined;
  }
  return format.replace(/{{\s*(.+?)\s*}}/g, (_, label) => metric[label] ?? '');
}

function frame(target, metric, times, values) {
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: times, config: {} },
      { name: 'Value', type: FieldType.number, values, labels: metric, config: { displayNameFromDS: legend(target, metric) } },
    ],
  });
}

function single(target, r) {
  return frame(target, r.metric, [r.value[0] * 1000], [Number(r.value[1])]);
}

// matrix has null where a series has no value, as the data source's has.
function matrix(target, r, step, from, to) {
  const known = new Map(r.values.map(([t, v]) => [Math.round(t * 1000), Number(v)]));
  const times = [];
  const values = [];
  for (let t = from; t <= to; t += step) {
    times.push(t);
    values.push(known.has(t) ? known.get(t) : null);
  }
  const f = frame(target, r.metric, times, values);
  f.fields[0].config.interval = step;
  return f;
}

function table(target, result, queries) {
  const labels = [...new Set(result.flatMap((r) => Object.keys(r.metric)))].sort();
  const name = queries > 1 ? `Value #${target.refId}` : 'Value';
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map((r) => r.value[0] * 1000), config: {} },
      ...labels.map((l) => ({ name: l, type: FieldType.string, values: result.map((r) => r.metric[l] ?? ''), config: { filterable: true } })),
      { name, type: FieldType.number, values: result.map((r) => Number(r.value[1])), config: {} },
    ],
  });
}
