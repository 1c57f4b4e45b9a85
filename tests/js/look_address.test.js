// The look of the charts in the address: what is written is read again; invalid parts are ignored.
import assert from "node:assert/strict";
import { test } from "node:test";

import { lookOf, withLook } from "../../static/js/charts/look_address.js";

test("a look is read as it was written, with other parts of the address", () => {
  const query = withLook("?at=3", { x: "time", log: true, smooth: 0.4, zoom: [1.5, 20] });
  assert.equal(query, "at=3&axis=time&log=1&smooth=0.4&range=1.5%2C20");
  assert.deepEqual(lookOf(query), { x: "time", log: true, smooth: 0.4, zoom: [1.5, 20] });
});

test("the usual look is in an address too, so that it opens in it for every reader", () => {
  const usual = withLook("?at=3&smooth=0.4", { x: "step", log: false, smooth: 0, zoom: null });
  assert.equal(usual, "at=3&axis=step");
  assert.deepEqual(lookOf(usual), { x: "step" });
});

test("invalid parts of a look are ignored", () => {
  assert.deepEqual(lookOf("?axis=x&smooth=2&range=5,1"), {});
  assert.deepEqual(lookOf("?range=0,1e13"), {});
  assert.deepEqual(lookOf("?smooth=&range=,"), { smooth: 0 });
});
