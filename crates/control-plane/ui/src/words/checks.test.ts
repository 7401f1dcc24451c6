// Rejected events: of all experiments, and what of them names this one.

import { expect, test } from "vitest";
import type { Experiment } from "../api/types";
import { checksOf } from "./checks";
import { results, three } from "./fixture";

const rejected = (of: Experiment["rejected"]) => checksOf({ ...three(), rejected: of }, results()).find((it) => it.name === "Rejected")?.detail;

test("only of others", () => expect(rejected({})).toBe("Malformed 1. Of all experiments."));
test("of this one, with the last place", () =>
  expect(rejected({ late: { exposures: 1_204, partition: 3, offset: 88_123 }, unknown_variant: { exposures: 2, partition: 0, offset: 7 } })).toBe(
    "Malformed 1. Of all experiments. Exposures of this one: late 1,204 (last: partition 3, offset 88123), unknown variant 2 (last: partition 0, offset 7).",
  ));
