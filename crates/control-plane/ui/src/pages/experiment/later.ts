// What an experiment needs only after its first paint, and the dialogs of every page: one script, because each alone is small.

export { Below } from "./Below";
export { CohortTable } from "./CohortTable";
export { Drawer } from "./Drawer";
export { HowToRead } from "./HowToRead";
export * as pictures from "./pictures";
export { Provisional } from "./Provisional";
export { Versions } from "./Versions";
export { Find } from "../../shell/Find";
export { KeyList } from "../../shell/KeyList";
export { SignIn } from "../../shell/SignIn";
