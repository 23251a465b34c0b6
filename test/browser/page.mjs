// Looks at the status page as a person would, in a real Chromium: sorting,
// filtering, paging, each with and without JavaScript, hostile text, keyboard,
// phone, dark, and axe-core on every page. Usage:
//
//   node page.mjs URL REPORT.html SCREENSHOT-DIRECTORY
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [base, report, shots] = process.argv.slice(2);
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
    if (!r.url().startsWith(base) && !r.url().startsWith("file:")) failures.push(`a request to ${r.url()}`);
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
    const answered = page.waitForResponse((r) => new URL(r.url()).pathname === "/");
    await act();
    await answered;
    await page.waitForFunction(() => !document.querySelector("[aria-busy]") && document.readyState === "complete");
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
  check(`${how}: filtered by library`, (await page.locator('#clients tbody td[data-label="Library"]').allTextContents()).every((l) => l.startsWith("OpenSSL")) && (await names(page)).length > 0);
  check(`${how}: the address can be kept`, page.url().includes("q=openssl"));
  if (scripted) {
    check(`${how}: whoever types keeps the cursor`, await page.evaluate(() => document.activeElement.id) === "q");
    await settled(() => page.fill("#q", "no such client"));
    check(`${how}: nothing fits`, (await page.textContent("#matching")) === "No client fits.");
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
for (const [name, path] of [["index", "/?sort=state"], ["client", `/clients/${encodeURIComponent("payments/billing")}`], ["fix", "/fixes/dotnet"]]) {
  await phone.goto(base + path);
  check(`${name} on a phone fits`, await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), String(await phone.evaluate(() => document.documentElement.scrollWidth)));
  await axe(phone, `${name} on a phone`);
  await shot(phone, `${name}-phone`, false);
}
await phone.goto(base + "/?sort=state#clients");
await phone.locator("#clients tbody tr").first().scrollIntoViewIfNeeded();
await shot(phone, "table-phone", false);

// Keyboard alone: the first stop skips to the content, and a heading sorts.
const keys = await open();
await keys.goto(base);
await keys.keyboard.press("Tab");
check("the first stop is the skip link", (await keys.evaluate(() => document.activeElement.className)) === "skip");
await keys.focus("#clients thead a");
const sorted = keys.waitForResponse((r) => r.url().includes("sort="));
await keys.keyboard.press("Enter");
await sorted;
await keys.waitForFunction(() => !document.querySelector("[aria-busy]"));
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
