// What every page loads: what it does on every page, and the small modules that most pages use.
import "../base/theme.js";
import "../base/times.js";
import "../base/dialogs.js";
import "../base/keys.js";
import "../base/api.js";
import "../base/pictures.js";
import "../base/refresh.js";
import "../base/status.js";
