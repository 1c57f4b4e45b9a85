// Walks the three pages by defaults alone, in Chromium or Firefox over WebDriver BiDi.
//
// node tests/browser/walk.mjs chrome|firefox EXECUTABLE URL
//
// Starts at the empty home page of a server. Prints a JSON object: what the pages showed, the seconds
// from the click to the first gain, and the errors and warnings of the console.
import puppeteer from "puppeteer-core";

const [browserName, executablePath, url] = process.argv.slice(2);
/** Of each wait: a busy machine takes minutes to start a browser. */
const LIMIT_MS = 120_000;
const isFirefox = browserName === "firefox";

const browser = await puppeteer.launch({
  browser: isFirefox ? "firefox" : "chrome",
  executablePath,
  args: isFirefox ? [] : ["--no-sandbox", "--disable-gpu"],
  protocol: "webDriverBiDi",
  protocolTimeout: LIMIT_MS,
  timeout: LIMIT_MS,
});
const page = await browser.newPage();
page.setDefaultTimeout(LIMIT_MS);
await page.setViewport({ width: 1440, height: 900 });
/** @type {string[]} */
const messages = [];
page.on("console", (message) => {
  if (["error", "warn"].includes(message.type())) messages.push(message.text());
});
page.on("pageerror", (error) => messages.push(String(error)));

/**
 * Wait until an expression over the document is true.
 * @param {string} purpose What is awaited, for the error.
 * @param {(argument: string) => boolean} condition Runs in the page; elements cannot leave it.
 * @param {string} [argument]
 */
async function until(purpose, condition, argument = "") {
  const end = Date.now() + LIMIT_MS;
  // A page that is left ends the question. The page's CSP forbids eval, which waitForFunction uses.
  while (!(await page.evaluate(condition, argument).catch(() => false))) {
    if (Date.now() > end) throw new Error(`Waited in vain for ${purpose}: ${await shown()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What the page says, for errors. */
const shown = () =>
  page
    .evaluate(() => `${location.href} ${document.querySelector("main")?.textContent ?? ""}`)
    .catch(String)
    .then((text) => text.replace(/\s+/g, " ").slice(0, 1000));

/**
 * @param {string} selector
 * @returns {Promise<string>}
 */
const textOf = (selector) =>
  page.$eval(selector, (node) => (node.textContent ?? "").replace(/\s+/g, " ").trim());

/**
 * Click as soon as there is something to click.
 * @param {string} selector
 */
async function click(selector) {
  await until(`${selector} to click`, (found) => document.querySelector(found) !== null, selector);
  // The node stays where it is: pages replace their lists while they load.
  await page.$eval(selector, (node) => /** @type {HTMLElement} */ (node).click());
}

try {
  await page.goto(url, { waitUntil: "domcontentloaded" });
  const began = Date.now();
  await click("form[action$='/sample'] button");
  await until("the page of the training", () => location.pathname.startsWith("/models/"));
  await until("a running training", () => document.querySelector("#state.running") !== null);
  const trainingSeconds = (Date.now() - began) / 1000;
  await until("the first gain", () =>
    /[+−]\d+\.\d+ dB|Not better than the input/.test(
      document.querySelector("#verdict")?.textContent ?? "",
    ),
  );
  const gainSeconds = (Date.now() - began) / 1000;
  const gain = await textOf("#verdict");
  await until("a drawn chart", () => document.querySelector(".chart canvas") !== null);
  await click("#samples figcaption button");
  await until("the page of the test", () => location.pathname.startsWith("/tests/"));
  await until("the numbers", () =>
    /\d\d\.\d\d.*\d\d\.\d\d/s.test(document.querySelector("#numbers tbody")?.textContent ?? ""),
  );
  const numbers = await textOf("#numbers tbody");
  await until("the viewer", () => document.querySelector("#viewer .tags span") !== null);
  await until("the end of the test", () => document.querySelector("#state.done") !== null);
  await until(
    "a drawn layer",
    () => document.querySelector("#layers article canvas[data-drawn]") !== null,
  );
  const layers = (await page.$$("#layers article")).length;
  console.log(JSON.stringify({ trainingSeconds, gainSeconds, gain, numbers, layers, messages }));
} finally {
  await browser.close();
}
