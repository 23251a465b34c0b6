// Looks at the status page as a person would, in a real Chromium: sorting,
// filtering, paging, each with and without JavaScript, hostile text, keyboard,
// phone, dark, and axe-core on every page. Usage:
//
//   node page.mjs URL REPORT.html SCREENSHOT-DIRECTORY URLS-BY-SIZE
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [base, report, shots, bySize] = process.argv.slice(2);
const sizes = JSON.parse(bySize); // addresses of ledgers by their number of clients
const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const failures = [];
let checks = 0;

function check(what, ok, detail = "") {
  checks++;
  if (!ok) failures.push(`${what} ${detail}`.trim());
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

// open makes a page on which every violation of the policy, script error,
// dialogue and foreign request is a failure.
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(120_000); // a busy machine is no failure
  const page = await context.newPage();
  page.on("console", (m) => {
    // The browser itself notes an answer of 404, which is what was asked for.
    if (["error", "warning"].includes(m.type()) && !m.text().includes("status of 404")) failures.push(`console on ${page.url()}: ${m.text()}`);
  });
  page.on("pageerror", (e) => failures.push(`script error on ${page.url()}: ${e}`));
  page.on("dialog", (d) => {
    failures.push(`a dialogue opened: ${d.message()}`);
    d.dismiss();
  });
  page.on("request", (r) => {
    if (![base, ...Object.values(sizes)].some((own) => r.url().startsWith(own)) && !r.url().startsWith("file:")) failures.push(`a request to ${r.url()}`);
  });
  return page;
}

async function axe(page, what) {
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  check(`axe-core on ${what}:`, result.violations.length === 0,
    JSON.stringify(result.violations.map((v) => [v.id, v.nodes.slice(0, 3).map((n) => n.html + " " + n.failureSummary)])));
}

const names = (page) => page.locator("#clients tbody th a").allTextContents();
const shot = (page, name, full = true) => page.screenshot({ path: `${shots}/${name}.png`, fullPage: full });

async function sortsAndFilters(page, scripted) {
  const how = scripted ? "with scripts" : "without scripts";
  await page.goto(base);
  const settled = async (act) => {
    const loads = [];
    const listen = (r) => { if (r.isNavigationRequest()) loads.push(r.url()); };
    page.on("request", listen);
    const answered = scripted ? page.waitForResponse((r) => new URL(r.url()).pathname === "/") : page.waitForEvent("load");
    await act();
    await answered;
    if (scripted) { // without scripts nothing polls in the page
      await page.waitForFunction(() => !document.querySelector("[aria-busy]"), undefined, { polling: 50 });
    }
    page.off("request", listen);
    check(`${how}: the page is ${scripted ? "not " : ""}loaded anew`, (loads.length === 0) === scripted, loads.join(" "));
  };
  await settled(() => page.click("#clients thead a:text('Client')"));
  const ascending = await names(page);
  check(`${how}: sorted by name`, ascending.join() === [...ascending].sort().join() && ascending.length === 200, ascending.slice(0, 5).join());
  check(`${how}: aria-sort`, await page.locator("th.col-client").getAttribute("aria-sort") === "ascending");
  await settled(() => page.click("#clients thead a:text('Client')"));
  check(`${how}: sorted the other way`, await page.locator("th.col-client").getAttribute("aria-sort") === "descending");
  await settled(() => page.click(".pages a:text('Next')"));
  check(`${how}: the second page`, (await page.textContent("#matching")).startsWith("201 to"));
  await settled(() => page.click(".states a.mixed"));
  check(`${how}: filtered by state`, (await page.locator("#clients tbody .state").allTextContents()).every((s) => s === "mixed"));
  check(`${how}: the tile is marked`, await page.locator(".states a.mixed").getAttribute("aria-current") === "true");
  check(`${how}: the form follows`, await page.inputValue("#state") === "mixed");
  await settled(() => page.click("#find a:text('Clear')"));
  if (scripted) {
    await settled(() => page.fill("#q", "openssl"));
  } else {
    await page.fill("#q", "openssl");
    await settled(() => page.press("#q", "Enter"));
  }
  check(`${how}: filtered by library`, (await page.locator('#clients tbody td[data-label="Program or library"]').allTextContents()).every((l) => l.startsWith("OpenSSL")) && (await names(page)).length > 0);
  check(`${how}: the address can be kept`, page.url().includes("q=openssl"));
  if (scripted) {
    check(`${how}: the cursor stays where one types`, await page.evaluate(() => document.activeElement.id) === "q");
    await settled(() => page.fill("#q", "no such client"));
    check(`${how}: nothing fits`, (await page.textContent("#matching")) === "No client matches.");
    await settled(() => page.selectOption("#verdict", "capable").then(() => page.fill("#q", "")));
    await settled(() => page.goBack());
  }
}

// Plain and scripted.
const page = await open();
await sortsAndFilters(page, true);
await sortsAndFilters(await open({ javaScriptEnabled: false }), false);

// What it looks like.
await page.goto(base);
await shot(page, "index-light", false);
await axe(page, "the status page");
await page.goto(base + "/?state=mixed");
await page.locator("#clients").screenshot({ path: `${shots}/table-light.png` });
await page.goto(`${base}/?sort=client&q=%3Cimg`);
check("a hostile name is text", (await names(page)).some((n) => n.includes("<img")));
await shot(page, "hostile", false);
await page.click("#clients tbody th a");
check("a hostile client's page", (await page.textContent("h1")).includes("<img"));
await axe(page, "a hostile client's page");
await page.goto(`${base}/clients/${encodeURIComponent("payments/billing")}`);
check("a client whose name has a slash", (await page.textContent("h1")) === "payments/billing");
await page.click("details summary");
await axe(page, "a client's page");
await shot(page, "client-light");
await page.goto(`${base}/fixes/dotnet`);
await axe(page, "a fix page");
await shot(page, "fix-light");
await page.goto(`${base}/clients/nobody`);
await axe(page, "a page that is not there");

const dark = await open({ colorScheme: "dark" });
await dark.goto(base);
await axe(dark, "the dark status page");
await shot(dark, "index-dark", false);
await dark.goto(`${base}/clients/${encodeURIComponent("payments/billing")}`);
await axe(dark, "the dark client's page");

const phone = await open({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, reducedMotion: "reduce" });
for (const [name, path] of [["index", "/?sort=state"], ["client", `/clients/${encodeURIComponent("payments/billing")}`], ["fix", "/fixes/dotnet"], ["java", "/fixes/java"]]) {
  await phone.goto(base + path);
  check(`${name} on a phone fits`, await phone.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), String(await phone.evaluate(() => document.documentElement.scrollWidth)));
  await axe(phone, `${name} on a phone`);
  await shot(phone, `${name}-phone`, false);
}
await phone.goto(base + "/?state=migrated&sort=client");
const modern = new URL(await phone.locator("#clients tbody th a").first().getAttribute("href"), base).href;
for (const [name, size] of [["a desk", { width: 1280, height: 800 }], ["a phone", { width: 360, height: 800 }]]) {
  const page = await open({ viewport: size });
  await page.goto(modern);
  const lines = await page.locator(".columns .ja4 bdi").first().evaluate((e) => {
    const range = document.createRange();
    range.selectNodeContents(e);
    return { lines: new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size, wider: document.documentElement.scrollWidth - document.documentElement.clientWidth };
  });
  check(`a fingerprint on ${name} is one line, and fits`, lines.lines === 1 && lines.wider <= 0, JSON.stringify(lines));
}
await phone.goto(base + "/?sort=state#clients");
await phone.locator("#clients tbody tr").first().scrollIntoViewIfNeeded();
await shot(phone, "table-phone", false);

// brokenWords lists the words of the table's cells that stand on two lines. A
// break after a hyphen or a slash is none.
function brokenWords(selector) {
  const broken = [];
  for (const cell of document.querySelectorAll(selector)) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      for (const word of node.data.matchAll(/[\p{L}\p{N}.]+/gu)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].filter((r) => r.width > 0).map((r) => Math.round(r.top)));
        if (lines.size > 1) broken.push(`${word[0]} in "${cell.textContent}"`);
      }
    }
  }
  return broken;
}

// The first screen answers: where it stands, whether it is on track, how it went,
// and who comes first, at every size of ledger and window.
const windows = { desk: [1440, 900, 5], laptop: [1280, 720, 5], tablet: [900, 1000, 3], phone: [390, 844, 0] };
for (const [clients, address] of Object.entries(sizes)) {
  for (const [name, [width, height, rows]] of Object.entries(windows)) {
    for (const colorScheme of ["light", "dark"]) {
      const what = `${clients} clients, ${width}x${height}, ${colorScheme}`;
      const first = await open({ viewport: { width, height }, colorScheme, isMobile: name === "phone" });
      await first.goto(address);
      await shot(first, `first-${clients}-${name}-${colorScheme}`, false);
      const below = (selector) => first.locator(selector).evaluateAll((all) => all.map((e) => e.getBoundingClientRect().bottom));
      check(`${what}: nothing is wider than the window`, await first.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
      check(`${what}: the headline`, (await below("#headline"))[0] < height / 3);
      if (clients === "0") {
        check(`${what}: two commands to begin with`, (await below(".picture pre")).filter((y) => y <= height).length === 2);
        check(`${what}: no empty picture`, await first.locator("svg.chart").count() === 0);
      } else {
        check(`${what}: on track or not`, (await below("#forecast"))[0] < height / 2);
        check(`${what}: the burn-down`, (await below("svg.chart"))[0] < height, String(await below("svg.chart")));
        const seen = await below("#clients tbody tr");
        const enough = Math.min(rows, seen.length);
        check(`${what}: the first ${enough} clients`, seen.filter((y) => y <= height).length >= enough, seen.slice(0, 5).join());
        const change = (await below("#clients tbody .fix"))[0];
        check(`${what}: what the first client has to change`, change <= height, String(change));
        const broken = await first.evaluate(brokenWords, width > 832 ? "#clients td, #clients thead th" : "#clients td");
        check(`${what}: no word is broken`, broken.length === 0, broken.slice(0, 3).join("; "));
      }
      await first.context().close();
    }
  }
}

// Keyboard alone: the first stop skips to the content, and a heading sorts.
const keys = await open();
await keys.goto(base);
await keys.keyboard.press("Tab");
check("the first stop is the skip link", (await keys.evaluate(() => document.activeElement.className)) === "skip");
await keys.focus("#clients thead a");
const sorted = keys.waitForResponse((r) => r.url().includes("sort="));
await keys.keyboard.press("Enter");
await sorted;
await keys.waitForFunction(() => !document.querySelector("[aria-busy]"), undefined, { polling: 50 });
check("after sorting by keyboard the heading keeps the focus", await keys.evaluate(() => Boolean(document.activeElement.closest("th"))));

// The report that is mailed around.
const file = await open();
await file.goto("file://" + report);
await axe(file, "the HTML report");
await shot(file, "report", false);

await browser.close();
for (const f of failures) console.log("FAIL", f);
console.log(`${checks} checks, ${failures.length} failures`);
process.exit(failures.length ? 1 : 0);
