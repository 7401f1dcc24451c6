// What an experiment needs only after its first paint, or on request: one script, because each alone is small.

export { Below } from "./Below";
export { CohortTable } from "./CohortTable";
export { Drawer } from "./Drawer";
export { HowToRead } from "./HowToRead";
export { Provisional } from "./Provisional";
export { Versions } from "./Versions";
