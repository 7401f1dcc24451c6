// What stands in the frame of provisional numbers.

import { age, clock } from "../times";
import { type Part, say, strong } from "./part";

export function provisionalSentence(ahead: number, partitions: number, by: number, verdictOfTime: string): Part[] {
  return [
    strong("Newest of each partition, not one cut."),
    say(` ${ahead} of ${partitions} partitions are ahead of the aligned look by up to ${age(by)}. Not for deciding: no p, no verdict. The verdict above is of ${clock(verdictOfTime)} UTC.`),
  ];
}
