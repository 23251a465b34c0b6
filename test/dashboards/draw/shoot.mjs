// Draws both dashboards into PNG files: node shoot.mjs PROMETHEUS NOW_MS OUT_DIR [SUFFIX [THEME]]
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { chromium } from 'playwright-core';

const [prometheus, now, out, suffix = '', theme = 'light'] = process.argv.slice(2);
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, 'http://x').pathname).replace(/^\/$/, '/index.html');
  try {
    const body = await readFile(join('dist', path));
    response.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'application/octet-stream' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let failed = false;
try {
  for (const board of ['migration', 'service']) {
    const page = await browser.newPage({ viewport: { width: 1532, height: 1000 } });
    page.on('console', (m) => {
      if (m.type() === 'error' && !m.text().includes('status of 404')) {
        failed = true;
        console.error(board, m.text());
      }
    });
    page.on('pageerror', (e) => {
      failed = true;
      console.error(board, e.stack ?? e);
    });
    await page.clock.setFixedTime(Number(now));
    await page.goto(`http://127.0.0.1:${server.address().port}/?board=${board}&prometheus=${encodeURIComponent(prometheus)}&theme=${theme}`);
    await page.waitForSelector('#board[data-done=true]', { timeout: 60_000 });
    await page.waitForLoadState('networkidle');
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve, 300)))));
    await page.locator('#board').screenshot({ path: join(out, `dashboard-${board}${suffix}.png`) });
    await page.close();
  }
} finally {
  await browser.close();
  server.close();
}
process.exit(failed ? 1 : 0);
