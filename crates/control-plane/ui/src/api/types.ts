// The shapes that the pages read. Results come from the schema; the rest is what the other addresses answer.

export interface Row {
  experiment: string;
  title: string;
  owner: string;
}
export interface List {
  look: string;
  experiments: Row[];
}
