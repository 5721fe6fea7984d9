// A browser on a line: reads {"do": …} as JSON from standard input, one a line, answers each with {"value": …} or
// {"error": …}. tests/browser/conftest.py speaks with it. Packages come from deps/npm.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const { chromium } = createRequire(join(root, "deps", "npm", "package.json"))("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
let context;
let page;
let errors = [];
let hosts = new Set();

/** A browser without cookies or storage. */
async function fresh({ token, dark = false, width = 1360, height = 900 }) {
  await context?.close();
  context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  if (token) await context.addInitScript((t) => sessionStorage.setItem("cairn.token", t), token);
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
  page.on("pageerror", (e) => errors.push(String(e)));
  page.on("request", (r) => hosts.add(new URL(r.url()).host));
}

/** Nothing on the page says that it is loading, twice in a row. */
async function settled() {
  await page.waitForFunction(() => document.querySelector("#app")?.childElementCount && !document.querySelector(".loading"));
  await page.waitForTimeout(120);
  await page.waitForFunction(() => !document.querySelector(".loading"));
}

/** Rows of the table with this caption, each an object by column heads; the k-th head without text is "#k". */
function readTable(caption) {
  const table = [...document.querySelectorAll("table")].find((t) => t.caption?.textContent === caption);
  if (!table) return null;
  const heads = [...table.tHead.rows[0].cells].map((c, i) => c.firstChild && c.innerText.replace(/[↑↓]/g, "").split("\n")[0].trim() || `#${i}`);
  return [...table.tBodies[0].rows].map((r) => Object.fromEntries([...r.cells].map((c, i) => [heads[i], c.innerText.trim()])));
}

const commands = {
  fresh,
  async go({ url }) {
    const sameDocument = page.url().split("#")[0] === url.split("#")[0];
    await page.goto(url);
    if (sameDocument) await page.waitForTimeout(60);
    await settled();
  },
  settled,
  text: ({ at }) => page.locator(at).first().innerText(),
  texts: ({ at }) => page.locator(at).evaluateAll((all) => all.map((x) => x.innerText ?? x.textContent)),
  count: ({ at }) => page.locator(at).count(),
  attribute: ({ at, name }) => page.locator(at).first().getAttribute(name),
  value: ({ at }) => page.locator(at).first().inputValue(),
  click: ({ at }) => page.locator(at).first().click(),
  fill: ({ at, text }) => page.locator(at).first().fill(text),
  select: ({ at, value }) => page.locator(at).first().selectOption(value),
  press: ({ keys }) => page.keyboard.press(keys),
  wait: ({ at, ms = 15_000 }) => page.locator(at).first().waitFor({ timeout: ms }),
  place: () => page.url(),
  table: ({ caption }) => page.evaluate(readTable, caption),
  facts: () => page.evaluate(() => Object.fromEntries([...document.querySelectorAll("dl.facts > div")].map((d) => [d.children[0].innerText, d.children[1].innerText]))),
  evaluate: ({ code }) => page.evaluate(code),
  async shot({ path, full = true }) {
    const size = page.viewportSize();
    if (full) {
      const height = await page.evaluate(() => document.querySelector(".page")?.scrollHeight ?? 0);
      await page.setViewportSize({ width: size.width, height: Math.max(size.height, Math.min(height, 3000)) });
      await page.waitForTimeout(80);
    }
    await page.screenshot({ path });
    await page.setViewportSize(size);
  },
  errors() {
    const seen = errors;
    errors = [];
    return seen;
  },
  hosts: () => [...hosts],
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[name](rest)) ?? null };
  } catch (e) {
    answer = { error: `${name} ${JSON.stringify(rest)}: ${e.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
