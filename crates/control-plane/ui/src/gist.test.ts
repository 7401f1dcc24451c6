import { expect, test } from "vitest";
import { gist } from "./gist";

test.each([
  ["Stale 58 s", "Stale 1 min 2 s", true],
  ["Killed 16:07", "Killed 16:09", true],
  ["Running · day 14", "Running · day 15", true],
  ["Lift +2.4%, at least +0.4%", "Lift +3%, at least −0.1%", true],
  ["Running · day 15", "Blocked", false],
  ["Yes, now", "Yes, but", false],
  ["5 devices", "5 customers", false],
  ["Better, may be small", "Better, clear of minimum", false],
])("%j and %j say the same: %s", (a, b, same) => expect(gist(a) === gist(b)).toBe(same));
