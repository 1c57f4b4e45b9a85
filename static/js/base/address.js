// Where the server's addresses begin: behind a proxy that shows it below a path of its own, with that path.

const ROOT = globalThis.document?.documentElement.dataset.root ?? "";

/** The address, for this browser, of what the server calls `path`; any other address as it is. */
export const at = (path) => (path.startsWith("/") ? ROOT + path : path);
