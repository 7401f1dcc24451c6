// The list of experiments, the state of the system and the dialogs of the shell: one script, because together they pack better.

export { KeyList } from "../shell/KeyList";
export { Find } from "../shell/Find";
export { SignIn } from "../shell/SignIn";
export { Experiments } from "./experiments/Experiments";
export { Status } from "./status/Status";
