// YAML with its keys told apart from its values and remarks.

export function Yaml({ text }: { text: string }) {
  return (
    <>
      {text.split("\n").map((row) => {
        const [, before, key, rest] = /^(\s*(?:- )?)([\w.-]+:)(.*)$/.exec(row) ?? [];
        if (row.trimStart().startsWith("#")) return <i>{`${row}\n`}</i>;
        if (key === undefined) return `${row}\n`;
        return (
          <>
            {before}
            <b>{key}</b>
            {`${rest}\n`}
          </>
        );
      })}
    </>
  );
}
