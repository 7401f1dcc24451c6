// The list, one experiment, and the state of the system: one script, because whoever opens the one soon opens the other, and together they pack better.

export { Experiment } from "./experiment/Experiment";
export { Experiments } from "./experiments/Experiments";
export { Status } from "./status/Status";
