import { expect, test } from "vitest";
import { diff } from "./diff";

const show = (before: string, after: string) => diff(before, after).map((it) => `${{ same: " ", added: "+", removed: "-" }[it.kind]}${it.text}`);

test.each([
  ["a\nb\nc\n", "a\nc\nd\n", [" a", "-b", " c", "+d"]],
  ["a", "a", [" a"]],
  ["a", "b", ["-a", "+b"]],
  ["x\ny", "y\nx", ["-x", " y", "+x"]],
])("diff %#", (before, after, wanted) => expect(show(before, after)).toEqual(wanted));
