// Draws one dashboard: ?board=migration|service&prometheus=URL&theme=light|dark
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import '@fontsource/inter/600.css';
import { createTheme, dateMath } from '@grafana/data';
import { GlobalStyles, PanelChrome, ThemeContext } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

import migration from '../../../../deploy/grafana/dashboards/migration.json';
import service from '../../../../deploy/grafana/dashboards/service.json';
import { prepare } from './fields.js';
import { Body } from './panels.jsx';
import { panelRange, run, zone } from './query.js';

const query = new URLSearchParams(window.location.search);
const base = query.get('prometheus');
const board = { migration, service }[query.get('board')];
const theme = createTheme({ colors: { mode: query.get('theme') ?? 'light' } });

// Grafana's grid: 24 columns, 30 pixels a unit, 8 between.
const columns = 24;
const pageWidth = 1500;
const gap = 8;
const unit = 30;
const column = (pageWidth - (columns - 1) * gap) / columns;

function place({ x, y, w, h }) {
  return {
    left: x * (column + gap), top: y * (unit + gap), width: w * column + (w - 1) * gap, height: h * unit + (h - 1) * gap,
  };
}

function Panel({ panel, onDone }) {
  const box = place(panel.gridPos);
  const [state, setState] = useState(null);
  useEffect(() => {
    (async () => {
      try {
        const range = panelRange(panel, { from: dateMath.toDateTime(board.time.from, zone), to: dateMath.toDateTime(board.time.to, zone) });
        const frames = await prepare(panel, await run(base, panel, range, box.width), theme);
        setState({ range, frames });
      } catch (error) {
        console.error(`${panel.title}: ${error.stack ?? error}`);
      }
      onDone();
    })();
  }, []);
  return (
    <div style={{ position: 'absolute', ...box }}>
      <PanelChrome width={box.width} height={box.height} title={panel.title} padding="md">
        {(width, height) => state && <Body panel={panel} {...state} theme={theme} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

function Board() {
  const [done, setDone] = useState(0);
  const height = Math.max(...board.panels.map((p) => place(p.gridPos).top + place(p.gridPos).height));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div
        id="board" data-done={done === board.panels.length}
        style={{ padding: 16, width: pageWidth + 32, background: theme.colors.background.canvas, color: theme.colors.text.primary }}
      >
        <h3 style={{ margin: '0 0 12px' }}>{board.title}</h3>
        <div style={{ position: 'relative', width: pageWidth, height }}>
          {board.panels.map((p, i) => <Panel key={i} panel={p} onDone={() => setDone((n) => n + 1)} />)}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

// Text is measured while drawing: the font must be there.
await Promise.all([400, 500, 600].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
createRoot(document.getElementById('root')).render(<Board />);
