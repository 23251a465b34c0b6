// The registries that a Grafana server sets up: transformations, and the
// options that a field can be overridden with.
import {
  FieldColorModeId, FieldType, Registry, applyFieldOverrides, standardTransformers, standardTransformersRegistry, thresholdsOverrideProcessor,
  transformDataFrame, valueMappingsOverrideProcessor,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

standardTransformersRegistry.setInit(() =>
  [...new Map(Object.values(standardTransformers).map((t) => [t.id, t])).values()].map((transformation) => ({
    id: transformation.id, name: transformation.name, transformation: async () => transformation, editor: () => null,
  }))
);

const identity = (value) => value;

function property(id, process = identity) {
  const custom = id.startsWith('custom.');
  return {
    id, path: custom ? id.slice('custom.'.length) : id, name: id, isCustom: custom, process,
    shouldApply: (field) => !(custom && field.type === FieldType.time), // the time axis has none of its own
    getItemsCount: () => 0, editor: () => null, override: () => null,
  };
}

const standard = ['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'links', 'color', 'fieldMinMax'];

// registry knows the standard options, and those custom ones that the panel
// uses.
function registry(panel) {
  const custom = new Set(Object.keys(panel.fieldConfig.defaults.custom ?? {}).map((k) => `custom.${k}`));
  for (const override of panel.fieldConfig.overrides ?? []) {
    for (const p of override.properties) {
      if (p.id.startsWith('custom.')) {
        custom.add(p.id);
      }
    }
  }
  return new Registry(() => [
    ...standard.map((id) => property(id)),
    property('thresholds', thresholdsOverrideProcessor),
    property('mappings', valueMappingsOverrideProcessor),
    ...[...custom].map((id) => property(id)),
  ]);
}

// prepare transforms the frames of a panel and gives their fields what the
// panel says of them.
export async function prepare(panel, frames, theme) {
  const transformed = panel.transformations?.length
    ? await lastValueFrom(transformDataFrame(panel.transformations, frames, { interpolate: identity }))
    : frames;
  const fieldConfig = structuredClone(panel.fieldConfig);
  fieldConfig.defaults.color ??= { mode: panel.type === 'timeseries' ? FieldColorModeId.PaletteClassic : FieldColorModeId.Thresholds };
  fieldConfig.defaults.thresholds ??= { mode: 'absolute', steps: [{ value: -Infinity, color: 'text' }] };
  fieldConfig.overrides ??= [];
  for (const t of [fieldConfig.defaults.thresholds, ...fieldConfig.overrides.flatMap((o) => o.properties.filter((p) => p.id === 'thresholds').map((p) => p.value))]) {
    t.steps[0].value = -Infinity; // null in JSON
  }
  return applyFieldOverrides({
    data: transformed, fieldConfig, replaceVariables: identity, theme, timeZone: 'utc', fieldConfigRegistry: registry(panel),
  });
}
