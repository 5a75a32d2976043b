// Offers made as a clinic's desk makes them, through the API; the links are those in the mails.

import { eventually } from "../clients/checks.mjs";

const API = process.env.CALLBOARD_API;
const MAILBOX = process.env.CALLBOARD_MAILBOX;

/** When every appointment is, as the API takes it, and how Berlin tells it. */
export const APPOINTMENT = {
  startsAt: "2030-05-02T09:00:00Z",
  endsAt: "2030-05-02T09:30:00Z",
  told: "Thursday 2 May 2030, 11:00 to 11:30 CEST",
};

let count = 0;

async function send(method, path, body) {
  const answer = await fetch(API + path, {
    method,
    headers: body && { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return { ...(await answer.json()), commit: answer.headers.get("callboard-commit") };
}

async function seen(path, commit) {
  const answer = await fetch(`${API}${path}?at-least=${encodeURIComponent(commit)}`);
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
}

/** Newest mail to `email` whose text `pattern` is found in. */
async function mailTo(email, pattern) {
  return eventually(async () => {
    const answer = await fetch(`${MAILBOX}/?to=${encodeURIComponent(email)}&wait_ms=5000`);
    const body = await answer.json();
    return (body.mails ?? body).find((mail) => pattern.test(mail.text));
  });
}

/** Half an hour to answer, by day and by night, whenever this runs. */
const policy = (is) => ({ windowSeconds: 1800, mode: { is } });

/** One person on a waitlist of their own, and an offer to them, open for `seconds`; or a slot that is told to all. */
export async function offer(service, seconds = 600, mode = "sequential") {
  const id = `person-${++count}`;
  const email = `${id}@example.com`;
  const waitlist = `waitlist-${count}`;
  await send("PUT", `/v1/recipients/${id}`, { email });
  await send("PUT", `/v1/waitlists/${waitlist}/policy`, policy(mode));
  const entries = `/v1/waitlists/${waitlist}/entries`;
  const entry = await send("POST", entries, { recipientId: id, service });
  await seen(`${entries}/${entry.entryId}`, entry.commit);
  const { startsAt, endsAt } = APPOINTMENT;
  const slots = `/v1/waitlists/${waitlist}/slots`;
  const times = { service, startsAt, endsAt, offerWindowSeconds: seconds };
  const slot = await send("POST", slots, times);
  const mail = await mailTo(email, /\/o\//);
  const url = mail.text.match(/https?:\S+\/o\/\S+/)[0];
  /** The person's place on the waitlist; a broadcast's mail has none. */
  const place = mail.text.match(/https?:\S+\/w\/\S+/)?.[0];
  /** Releases the slot once more, as after a cancellation. */
  const again = () => send("POST", slots, { ...times, slotId: slot.slotId, afterVersion: 1 });
  /** Staff book it for somebody else, or take it back. */
  const book = () => send("POST", `/v1/slots/${slot.slotId}/booking`, { by: "staff" });
  const withdraw = () => send("DELETE", `/v1/slots/${slot.slotId}`);
  return { email, url, place, slotId: slot.slotId, mail, again, book, withdraw };
}

/** The secret link to the calendar of a new waitlist with such slots, and the slots' ids. */
export async function calendarOf(...slots) {
  const waitlist = `waitlist-${++count}`;
  const ids = [];
  for (const slot of slots) {
    const { slotId, commit } = await send("POST", `/v1/waitlists/${waitlist}/slots`, slot);
    await seen(`/v1/slots/${slotId}`, commit);
    ids.push(slotId);
  }
  const { url } = await send("GET", `/v1/waitlists/${waitlist}/calendar-link`);
  /** Staff take the slot back. */
  const withdraw = async (slotId) => {
    const { commit } = await send("DELETE", `/v1/slots/${slotId}`);
    await seen(`/v1/slots/${slotId}`, commit);
  };
  return { waitlist, url, ids, withdraw };
}

/** How the slot stands for the clinic. */
export async function slotState(slotId) {
  const answer = await fetch(`${API}/v1/slots/${slotId}`);
  return (await answer.json()).state;
}

/** What the link says to a program. */
export async function state(url) {
  return (await (await fetch(url)).json()).state;
}

export { mailTo };
