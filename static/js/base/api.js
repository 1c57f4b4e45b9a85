// Requests to the JSON API. A refusal becomes an error with the server's message.
import { withRoot } from "./address.js";

const RETRY_MS = 2000;

/** A failed request, with the response's status; 0 if the server did not respond. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {number} status
   * @param {Record<string, string>} [fields] Messages by the name of the form field.
   */
  constructor(message, status, fields = {}) {
    super(message);
    this.status = status;
    this.fields = fields;
  }
}

/**
 * The message of whatever was thrown.
 * @param {unknown} error
 * @returns {string}
 */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * The JSON response to a request below /api/v1; null if the response has no content.
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 * @throws {RequestError}
 */
export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(withRoot(`/api/v1${path}`), options);
  } catch {
    throw new RequestError(unavailable(), 0);
  }
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) {
    const { status } = response;
    const { message = fallbackMessage(status), fields } = body?.error ?? {};
    throw new RequestError(message, status, fields);
  }
  return body;
}

/** @param {string} [detail] */
const unavailable = (detail = "") =>
  `The server does not respond${detail}. Check that it is running.`;

/**
 * The message of a refusal without one. A 5xx status without a message comes from a proxy.
 * @param {number} status
 */
const fallbackMessage = (status) =>
  status >= 500
    ? unavailable(` (status ${status})`)
    : `The server responded with status ${status}.`;

/**
 * Like `request`, as a POST with a JSON body.
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<any>}
 * @throws {RequestError}
 */
export function post(path, body) {
  return request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/**
 * Like `request`, but retries until the server responds. Only a 4xx status is an error.
 * @param {string} path
 * @returns {Promise<any>}
 * @throws {RequestError}
 */
export async function requestWithRetries(path) {
  for (;;) {
    try {
      return await request(path);
    } catch (error) {
      if (error instanceof RequestError && error.status && error.status < 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
