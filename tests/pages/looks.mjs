// What every page must be, whatever it says: measured in the browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PICTURES = process.env.CALLBOARD_PICTURES;

/** Smallest side of what a finger must hit, in CSS pixels (WCAG 2.5.5). */
const TARGET_PX = 44;
const PAGE_BYTES_MAX = 10_000;

/** No violation of WCAG 2.x A and AA, nor of axe's best practices, in light and in dark. */
async function passesAxe(page) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(AXE);
    const { violations, passes, incomplete } = await page.evaluate(() =>
      globalThis.axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      }),
    );
    const ids = (rules) => rules.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(ids(violations), [], colorScheme);
    assert.deepEqual(ids(incomplete), [], `${colorScheme}: axe could not tell`);
    // That axe has looked at colours, title, language, landmarks and the heading at all.
    const looked = new Set(passes.map(({ id }) => id));
    for (const rule of ["color-contrast", "document-title", "html-has-lang", "landmark-one-main", "page-has-heading-one"]) {
      assert.ok(looked.has(rule), `axe did not check ${rule}`);
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** Nothing is cut off on a narrow telephone, at 200 % text on top, and fingers can hit what is to be hit. */
async function fitsNarrowScreens(page) {
  const size = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 640 });
  for (const percent of [100, 200]) {
    await page.evaluate((percent) => (document.documentElement.style.fontSize = `${percent}%`), percent);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 320, `${width} px wide at ${percent} %`);
    for (const target of await page.locator("button, a, label").all()) {
      const box = await target.boundingBox();
      assert.ok(box.height >= TARGET_PX && box.width >= TARGET_PX, `${await target.innerText()}: ${JSON.stringify(box)}`);
    }
  }
  await page.evaluate(() => (document.documentElement.style.fontSize = ""));
  await page.setViewportSize(size);
}

/** Each thing that can be reached by Tab shows that it has the focus. */
async function showsFocus(page) {
  const count = await page.locator("button, a, input").count();
  for (let index = 0; index < count; index++) {
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return { tag: document.activeElement.tagName, outlineStyle, px: parseFloat(outlineWidth) };
    });
    assert.ok(["BUTTON", "A", "INPUT"].includes(outline.tag), `Tab ${index + 1} leads to ${outline.tag}`);
    assert.ok(outline.outlineStyle !== "none" && outline.px >= 2, JSON.stringify(outline));
  }
}

async function photograph(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(PICTURES, `${name}-${colorScheme}.png`) });
  }
  const size = page.viewportSize();
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 320, height: 640 });
  await page.screenshot({ path: join(PICTURES, `${name}-320.png`), fullPage: true });
  await page.setViewportSize(size);
}

/** Headers that keep the link to whom it was sent. */
function isPrivate(response) {
  const headers = response.headers();
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(headers["referrer-policy"], "no-referrer");
  assert.equal(headers["x-robots-tag"], "noindex, nofollow");
  assert.match(headers["content-security-policy"], /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'/);
}

/**
 * All of that of the page that is open, which `response` brought; pictures under `name`. `trouble` is what
 * the browser complained of since the page was made.
 */
export async function looksRight(page, response, name, trouble) {
  isPrivate(response);
  const bytes = (await response.body()).length;
  assert.ok(bytes < PAGE_BYTES_MAX, `${bytes} bytes`);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.equal(await page.locator("h1").count(), 1);
  assert.equal(await page.locator("main").count(), 1);
  assert.equal(await page.title(), await page.locator("h1").innerText());
  // The policy's hash fits the style: else the browser would have dropped it.
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).marginTop), "0px");
  await photograph(page, name);
  await passesAxe(page);
  await fitsNarrowScreens(page);
  await showsFocus(page);
  assert.deepEqual(trouble, []);
}
