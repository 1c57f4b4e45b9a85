// What the server is asked. Its refusals come as errors with its own sentence.
import { at } from "./address.js";

const RETRY_MS = 2000;

/** The JSON that the server answers to a path below /api/v1. Throws an Error with a sentence where it does not. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(at(`/api/v1${path}`), options);
  } catch {
    throw new Error("The server does not answer. Is it running?");
  }
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw Object.assign(new Error(told?.error?.message ?? `The server answered ${answer.status}.`), { status: answer.status });
  return told;
}

/** As `ask`, with a body of JSON. */
export function send(path, body) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** As `ask`, again and again until the server answers; only that it has no such thing, or refuses, is an error. */
export async function askUntilAnswered(path) {
  for (;;) {
    try {
      return await ask(path);
    } catch (error) {
      if (error.status && error.status < 500) throw error;
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}
