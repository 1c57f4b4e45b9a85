// The page of one pair.
import { pageData } from "./dom.js";
import { viewer } from "./viewer.js";

viewer(document.querySelector("#viewer"), pageData("pictures"));
