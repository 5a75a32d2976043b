// The pages behind links, gone through in headless Chromium. `run.sh` starts what this needs.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import ICAL from "ical.js";
import { chromium } from "playwright-core";
import { check, eventually } from "../clients/checks.mjs";
import { looksRight } from "./looks.mjs";
import { APPOINTMENT, calendarOf, mailTo, offer, slotState, state } from "./offers.mjs";

mkdirSync(process.env.CALLBOARD_PICTURES, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CALLBOARD_CHROMIUM,
  // Without these it looks for hosts of its maker at every start.
  args: ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** A page in a browser of its own, and what that complains of. Scripts are off: none is needed. */
async function opened(options = {}) {
  const context = await browser.newContext({ viewport: { width: 800, height: 600 }, ...options });
  const page = await context.newPage();
  const trouble = [];
  // A browser asks by itself for an icon; and it reports every page that is not a 200.
  const usual = /favicon|the server responded with a status of 4\d\d/;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !usual.test(message.text())) trouble.push(message.text());
  });
  page.on("request", (request) => {
    if (request.resourceType() !== "document" && !usual.test(request.url())) trouble.push(`asks for ${request.url()}`);
  });
  return { page, trouble, close: () => context.close() };
}

/** The text of the page, its white space as read. */
const textOf = async (page) => (await page.locator("main").innerText()).replace(/\s+/g, " ");

/** Opens `url`, checks what every page must be, and that it says `heading`. */
async function lookAt(url, heading, name, status = 200) {
  const { page, trouble, close } = await opened();
  const response = await page.goto(url);
  assert.equal(response.status(), status);
  assert.equal(await page.locator("h1").innerText(), heading);
  await looksRight(page, response, name, trouble);
  const text = await textOf(page);
  await close();
  return text;
}

await check("an open offer says what, when and until when by the clinic's clock, and looks right", async () => {
  const { url, mail } = await offer("Physiotherapy, follow-up");
  const text = await lookAt(url, "An appointment is free", "open");
  assert.ok(text.includes("Physiotherapy, follow-up"), text);
  assert.ok(text.includes(APPOINTMENT.told), text);
  assert.match(text, /Please answer before \w+ \d+ \w+ \d{4}, \d\d:\d\d CES?T/);
  assert.match(mail.text, /Thursday 2 May 2030, 11:00 CEST/, "the mail tells the same time");
});

await check("a scanner's GET and HEAD, and a browser that only looks, change nothing", async () => {
  const { url, slotId } = await offer("physio");
  for (const method of ["HEAD", "GET", "HEAD", "GET"]) {
    const answer = await fetch(url, { method, headers: { accept: "text/html" } });
    assert.equal(answer.status, 200, method);
  }
  const { page, close } = await opened();
  await page.goto(url);
  await page.reload();
  await close();
  assert.equal(await state(url), "open");
  assert.equal(await slotState(slotId), "held");
});

await check("by keyboard alone, without scripts: Tab to yes, Enter, and the appointment is booked", async () => {
  const { url, slotId, email } = await offer("physio");
  const { page, close } = await opened({ javaScriptEnabled: false });
  await page.goto(url);
  await page.keyboard.press("Tab");
  const focused = page.locator("button:focus");
  assert.equal(await focused.innerText(), "Yes, I take it");
  await Promise.all([page.waitForURL(url), page.waitForEvent("load"), page.keyboard.press("Enter")]);
  assert.equal(await page.locator("h1").innerText(), "The appointment is yours");
  assert.equal(page.url(), url, "the address is the link's own");
  const [request] = await Promise.all([page.waitForRequest(url), page.reload()]);
  assert.equal(request.method(), "GET", "a reload answers nothing again");
  await close();
  await eventually(async () => (await slotState(slotId)) === "booked");
  await mailTo(email, /the appointment is yours/);
  const text = await lookAt(url, "The appointment is yours", "accepted");
  assert.ok(text.includes(APPOINTMENT.told), text);
});

await check("yes in one window and again in another, then no in a third: the first answer stands", async () => {
  const { url } = await offer("physio");
  const windows = [await opened(), await opened(), await opened()];
  for (const { page } of windows) await page.goto(url);
  const press = async ({ page }, name) => {
    await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name }).click()]);
    return textOf(page);
  };
  assert.match(await press(windows[0], "Yes, I take it"), /^The appointment is yours/);
  assert.match(await press(windows[1], "Yes, I take it"), /You have given this answer already.*It is booked for you/);
  const changed = await press(windows[2], "No, thank you");
  assert.match(changed, /You have answered this offer before, and that answer stands.*It is booked for you/);
  await windows[2].page.screenshot({ path: `${process.env.CALLBOARD_PICTURES}/answered-before.png` });
  for (const { close } of windows) await close();
  assert.equal(await state(url), "accepted");
});

await check("by keyboard: no, and the place on the waitlist is kept", async () => {
  const { url } = await offer("physio");
  const { page, close } = await opened({ javaScriptEnabled: false });
  await page.goto(url);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Space")]);
  assert.equal(await page.locator("h1").innerText(), "Thank you for letting us know");
  await close();
  const text = await lookAt(url, "Thank you for letting us know", "declined");
  assert.match(text, /You keep your place on the waitlist/);
});

await check("a page left open until the offer has ended says so when it is answered, and so does the link", async () => {
  const { url } = await offer("physio", 3);
  const { page, trouble, close } = await opened();
  await page.goto(url);
  const button = page.getByRole("button", { name: "Yes, I take it" });
  await button.waitFor();
  await eventually(async () => (await state(url)) === "expired");
  const [response] = await Promise.all([page.waitForResponse(url), page.waitForEvent("load"), button.click()]);
  assert.equal(response.status(), 409);
  assert.match(await textOf(page), /The time to answer has passed.*Your answer came too late.*You are still on the waitlist/);
  await looksRight(page, response, "too-late", trouble);
  await close();
  await lookAt(url, "The time to answer has passed", "expired");
});

await check("the link of an appointment that was booked, given up and released anew says that the offer was replaced", async () => {
  const { url, again } = await offer("physio");
  const answer = await fetch(url, { method: "POST", body: new URLSearchParams({ answer: "accept" }) });
  assert.equal((await answer.json()).state, "accepted");
  await again();
  const text = await lookAt(url, "This offer was replaced", "replaced");
  assert.match(text, /use the link in our latest message/);
});

await check("a slot that is told to all says that the first has it, has no button to decline, and is booked", async () => {
  const { url, slotId } = await offer("physio", 600, "broadcast");
  const text = await lookAt(url, "An appointment is free", "first-come");
  assert.match(text, /first/);
  const { page, close } = await opened({ javaScriptEnabled: false });
  await page.goto(url);
  assert.equal(await page.locator("button").count(), 1);
  await page.keyboard.press("Tab");
  await Promise.all([page.waitForURL(url), page.waitForEvent("load"), page.keyboard.press("Enter")]);
  assert.equal(await page.locator("h1").innerText(), "The appointment is yours");
  await close();
  await eventually(async () => (await slotState(slotId)) === "booked");
});

await check("a person sees their place, and by keyboard alone pauses, comes back, and leaves with a tick", async () => {
  const { place, url } = await offer("Physiotherapy, follow-up");
  const held = await lookAt(place, "An appointment is held for you", "place-offered");
  assert.ok(held.includes("Physiotherapy, follow-up"), held);
  await fetch(url, { method: "POST", body: new URLSearchParams({ answer: "decline" }) });
  const waiting = await lookAt(place, "You are on the waitlist", "place-waiting");
  assert.match(waiting, /Nobody is before you/);
  const { page, close } = await opened({ javaScriptEnabled: false });
  await page.goto(place);
  const press = async (tabs, ...keys) => {
    for (let tab = 0; tab < tabs; tab++) await page.keyboard.press("Tab");
    for (const key of keys.slice(0, -1)) await page.keyboard.press(key);
    await Promise.all([page.waitForEvent("load"), page.keyboard.press(keys.at(-1))]);
    return page.locator("h1").innerText();
  };
  assert.equal(await press(1, "Enter"), "Your place is paused");
  await lookAt(place, "Your place is paused", "place-paused");
  assert.equal(await press(1, "Enter"), "You are on the waitlist");
  await page.getByRole("button", { name: "Leave the waitlist" }).click();
  assert.equal(await page.locator("h1").innerText(), "You are on the waitlist", "nobody leaves without the tick");
  await page.goto(place);
  assert.equal(await press(2, "Space", "Tab", "Enter"), "You are not on the waitlist");
  await close();
  await lookAt(place, "You are not on the waitlist", "place-left");
});

await check("the link of an appointment that the desk gave to somebody else says that it is taken", async () => {
  const { url, book } = await offer("physio");
  await book();
  const text = await lookAt(url, "Somebody else has this appointment", "taken");
  assert.match(text, /You are still on the waitlist/);
});

await check("the link of an appointment that was called off says so", async () => {
  const { url, withdraw } = await offer("physio");
  await withdraw();
  const text = await lookAt(url, "This appointment is no longer available", "withdrawn");
  assert.match(text, /You are still on the waitlist/);
});

await check("a link that is cut off or made up is not known, and its page says what to do", async () => {
  const { url } = await offer("physio");
  const text = await lookAt(url.slice(0, -3), "We do not know this link", "unknown", 404);
  assert.match(text, /open the link in our message again/);
  const answer = await fetch(url.replace(/\/o\/.*/, "/o/made-up"), {
    method: "POST",
    headers: { accept: "text/html", "content-type": "application/x-www-form-urlencoded" },
    body: "answer=accept",
  });
  assert.equal(answer.status, 404);
  assert.equal(await state(url), "open");
});

await check("a form that was not filled in is refused on a page", async () => {
  const { url } = await offer("physio");
  const { page, trouble, close } = await opened();
  await page.goto(url);
  await page.locator("button[value=accept]").evaluate((button) => (button.value = "perhaps"));
  const [response] = await Promise.all([
    page.waitForResponse(url),
    page.waitForEvent("load"),
    page.locator("button").first().click(),
  ]);
  assert.equal(response.status(), 422);
  assert.equal(await page.locator("h1").innerText(), "That did not work");
  assert.match(await textOf(page), /open the link in our message again/);
  await looksRight(page, response, "problem", trouble);
  await close();
});

await check("the accepted page and the mail that confirms it give a file that a calendar reads, of one event", async () => {
  const service = `Physiotherapy; knees, hips & backs – für Müller, by the 2nd floor's \\ door`;
  const { url, email } = await offer(service.slice(0, 60));
  const { page, close } = await opened({ acceptDownloads: true });
  await page.goto(url);
  await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: "Yes, I take it" }).click()]);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /calendar/ }).click()]);
  assert.equal(download.suggestedFilename(), "appointment.ics");
  const answer = await fetch(`${url}/calendar.ics`);
  isPrivateDownload(answer);
  const { attachments } = await mailTo(email, /the appointment is yours/);
  assert.deepEqual(
    attachments.map(({ name, content_type }) => [name, content_type]),
    [["appointment.ics", answer.headers.get("content-type")]],
  );
  const uids = [await answer.text(), attachments[0].text].map((text) => {
    assert.ok(text.split("\r\n").every((line) => Buffer.byteLength(line) <= 75), text);
    const calendar = new ICAL.Component(ICAL.parse(text));
    assert.equal(calendar.getFirstPropertyValue("method"), "PUBLISH");
    const event = new ICAL.Event(calendar.getFirstSubcomponent("vevent"));
    assert.equal(event.summary, service.slice(0, 60));
    assert.equal(event.startDate.toJSDate().toISOString(), new Date(APPOINTMENT.startsAt).toISOString());
    assert.equal(event.endDate.toJSDate().toISOString(), new Date(APPOINTMENT.endsAt).toISOString());
    assert.match(event.organizer, /^mailto:/);
    return event.uid;
  });
  assert.equal(uids[0], uids[1], "file and mail are one event in a calendar");
  await close();
});

function isPrivateDownload(answer) {
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.match(answer.headers.get("content-type"), /^text\/calendar; charset=utf-8; method=PUBLISH$/);
}

await check("the slots of a waitlist are a calendar that a calendar programme reads, by its secret link", async () => {
  const service = `Physiotherapy; knees, hips & backs – für Müller \\ x`;
  const provider = "dr-odegard";
  const at = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();
  const slot = (hours) => ({ service, startsAt: at(hours), endsAt: at(hours + 1), location: "north", provider });
  const slots = [slot(48), slot(24)];
  const { waitlist, url, ids, withdraw } = await calendarOf(...slots);
  const read = async () => {
    const answer = await fetch(url);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "text/calendar; charset=utf-8");
    assert.equal(answer.headers.get("cache-control"), "private, no-cache");
    const text = await answer.text();
    assert.ok(text.split("\r\n").every((line) => Buffer.byteLength(line) <= 75), text);
    const calendar = new ICAL.Component(ICAL.parse(text));
    return calendar.getAllSubcomponents("vevent").map((each) => new ICAL.Event(each));
  };
  const status = (event) => event.component.getFirstPropertyValue("status");
  const first = await read();
  assert.deepEqual(
    first.map((event) => event.uid),
    ids.toReversed().map((id) => `${id}.${waitlist}@callboard`),
    "by start",
  );
  first.forEach((event, index) => {
    const { startsAt, endsAt } = slots.toReversed()[index];
    assert.ok(event.summary.endsWith(`: ${service}`), event.summary);
    assert.equal(event.location, "north");
    assert.ok(event.description.includes(`With ${provider}.`), event.description);
    assert.equal(event.startDate.toJSDate().getTime(), Math.floor(Date.parse(startsAt) / 1000) * 1000);
    assert.equal(event.endDate.toJSDate().getTime(), Math.floor(Date.parse(endsAt) / 1000) * 1000);
    assert.equal(status(event), "TENTATIVE");
  });
  await withdraw(ids[0]);
  const later = await read();
  assert.deepEqual(later.map((event) => event.uid), first.map((event) => event.uid));
  assert.deepEqual(later.map(status), ["TENTATIVE", "CANCELLED"]);
  assert.ok(later[1].sequence > first[1].sequence);
});

await browser.close();
// What a failed check has left waiting must not keep this open.
process.exit();
