// One component for each kind of panel, made of Grafana's own.
import { VizOrientation, getFieldDisplayValues } from '@grafana/data';
import { BigValue, Table, TimeSeries, VizRepeater } from '@grafana/ui';

export function Body({ panel, frames, range, theme, width, height }) {
  switch (panel.type) {
    case 'timeseries':
      return frames.length ? (
        <TimeSeries
          frames={frames} timeRange={range} timeZone="utc" width={width} height={height} legend={panel.options.legend} structureRev={1}
        />
      ) : <Nothing panel={panel} height={height} />;
    case 'table':
      return frames.length && frames[0].length ? (
        <Table
          data={frames[0]} width={width} height={height} showTypeIcons={false} timeRange={range} cellHeight={panel.options.cellHeight}
          initialSortBy={panel.options.sortBy} enableSharedCrosshair={false}
        />
      ) : <Nothing panel={panel} height={height} />;
    default:
      return <Values panel={panel} frames={frames} theme={theme} width={width} height={height} />;
  }
}

function Nothing({ panel, height }) {
  return <div style={{ height, display: 'flex', alignItems: 'center', justifyContent: 'center', textAlign: 'center', opacity: 0.6 }}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
}

// Values is a stat: one value beside the other.
function Values({ panel, frames, theme, width, height }) {
  const values = getFieldDisplayValues({
    fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: (v) => v, theme, data: frames, sparkline: false, timeZone: 'utc',
  });
  const render = ({ value, width, height, count }) => (
    <BigValue
      value={value.display} count={count} width={width} height={height} theme={theme} colorMode={panel.options.colorMode} graphMode={panel.options.graphMode}
      justifyMode={panel.options.justifyMode} textMode={panel.options.textMode} text={panel.options.text}
    />
  );
  return (
    <VizRepeater
      getValues={() => values} renderValue={render} renderCounter={0} width={width} height={height} source={frames} itemSpacing={3}
      orientation={VizOrientation.Auto} autoGrid
    />
  );
}
