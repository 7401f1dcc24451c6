// A page that is loaded when it is first shown.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Skeleton } from "./parts/Skeleton";
import { Failure } from "./parts/Failure";

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let page: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const [, redraw] = useState(0);
    const [failed, fail] = useState(false);
    useEffect(() => {
      if (page || failed) return;
      load().then(
        (loaded) => {
          page = loaded;
          redraw((n) => n + 1);
        },
        () => fail(true),
      );
    }, [failed]);
    if (page) {
      const Page = page;
      return <Page {...props} />;
    }
    if (failed) {
      // A newer build has other file names, so an old page cannot load its parts any more.
      return <Failure title="This page could not be loaded." detail="Perhaps a newer build was installed meanwhile. Reload to get it." of={{ error: { value: null }, reload: () => location.reload() }} />;
    }
    return <Skeleton />;
  };
}
