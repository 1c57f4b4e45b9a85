// The page of one pair.
import { find, pageData } from "../base/dom.js";
import { viewer } from "../viewer/viewer.js";

viewer(find(document, "#viewer"), pageData("pictures"), pageData("qp-map"));
