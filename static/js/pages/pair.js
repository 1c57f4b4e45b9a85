// The page of one pair.
import { pageData } from "../base/dom.js";
import { viewer } from "../viewer/viewer.js";

viewer(document.querySelector("#viewer"), pageData("pictures"));
