// URLs of the server. Behind a proxy that serves the application under a path, they start with it.

const ROOT = globalThis.document?.documentElement.dataset.root ?? "";

/**
 * The URL for this browser of a path from the server's root. Other URLs stay as they are.
 * @param {string} path
 * @returns {string}
 */
export const withRoot = (path) => (path.startsWith("/") ? ROOT + path : path);
