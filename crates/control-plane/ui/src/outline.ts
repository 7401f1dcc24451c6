// The shape says which arm: circle, diamond, triangle, square, in a box of 12 by 12. Arms never have colours.

const FILLED = ["M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1Z", "M6 .3 11.7 6 6 11.7 .3 6Z", "M6 .8 11.4 10.6H.6Z", "M1.4 1.4h9.2v9.2H1.4Z"];
/** After four the shapes come again, with a hole. */
const HOLE = "M6 4a2 2 0 1 1 0 4A2 2 0 1 1 6 4Z";

/** `arm` counts treatments from 0. */
export const outlineOf = (arm: number): string => (FILLED[arm % FILLED.length] ?? "") + (arm < FILLED.length ? "" : HOLE);
