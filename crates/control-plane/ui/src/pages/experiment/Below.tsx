// Everything of an experiment below its metrics.

import { useEffect } from "preact/hooks";
import type { Experiment, ExperimentLog } from "../../api/types";
import type { Resource } from "../../api/resource";
import type { Shown } from "./Experiment";
import { Health } from "./Health";
import { OverTime } from "./OverTime";
import { Segments } from "./Segments";
import { Setup } from "./Setup";
import { Sql } from "./Sql";

interface Props {
  shown: Shown;
  frozen: boolean;
  earlier: Experiment[];
  log: Resource<ExperimentLog> | null;
}

export function Below({ shown, frozen, earlier, log }: Props) {
  useEffect(() => {
    // The part that the address names exists only now.
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, []);
  return (
    <>
      <OverTime {...shown} frozen={frozen} />
      <Segments {...shown} />
      <Health {...shown} frozen={frozen} />
      <Setup experiment={shown.experiment} earlier={earlier} log={log} />
      <Sql {...shown} />
    </>
  );
}
