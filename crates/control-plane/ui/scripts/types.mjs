// Writes src/api/schema.ts from the JSON schemas of the repository; with --check, says whether it is what they give.

import { existsSync, readFileSync, writeFileSync } from "node:fs";

const SCHEMAS = new URL("../../../../schemas/json/", import.meta.url);
const OUT = new URL("../src/api/schema.ts", import.meta.url);
const FILES = [
  ["results.schema.json", "Results"],
  ["doors.schema.json", null],
  ["planner.schema.json", null],
];

const pascal = (name) => name.replace(/(^|[_-])([a-z])/g, (_, __, letter) => letter.toUpperCase());
const literal = (value) => JSON.stringify(value);

function typeOf(schema, indent) {
  if (schema === true || schema === undefined) return "unknown";
  if (schema.$ref) return schema.$ref === "#" ? "Results" : pascal(schema.$ref.split("/").at(-1));
  if ("const" in schema) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(" | ");
  if (schema.oneOf ?? schema.anyOf) return (schema.oneOf ?? schema.anyOf).map((it) => typeOf(it, indent)).join(" | ");
  if (schema.allOf) return schema.allOf.map((it) => typeOf(it, indent)).join(" & ");
  const types = [schema.type ?? (schema.properties || schema.additionalProperties ? "object" : "unknown")].flat();
  return types.map((it) => plain(it, schema, indent)).join(" | ");
}

function plain(type, schema, indent) {
  switch (type) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return type;
    case "array": {
      const item = typeOf(schema.items, indent);
      return /[|&]/.test(item) && !item.startsWith("{") ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      return objectOf(schema, indent);
    default:
      return "unknown";
  }
}

function objectOf(schema, indent) {
  if (!schema.properties) {
    const values = typeof schema.additionalProperties === "object" ? typeOf(schema.additionalProperties, indent) : "unknown";
    return `Record<string, ${values}>`;
  }
  const inner = `${indent}  `;
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties).flatMap(([name, of]) => {
    const about = of.description ? [`${inner}/** ${of.description} */`] : [];
    const key = /^[a-z_]\w*$/i.test(name) ? name : literal(name);
    return [...about, `${inner}${key}${required.has(name) ? "" : "?"}: ${typeOf(of, inner)};`];
  });
  return `{\n${lines.join("\n")}\n${indent}}`;
}

function declare(name, schema) {
  const about = schema.description ? `/** ${schema.description} */\n` : "";
  const type = typeOf(schema, "");
  return type.startsWith("{") && type.endsWith("}") && !type.includes("} |") ? `${about}export interface ${name} ${type}\n` : `${about}export type ${name} = ${type};\n`;
}

const parts = ["// Made from schemas/json by scripts/types.mjs: change those, not this.\n"];
for (const [file, root] of FILES) {
  const url = new URL(file, SCHEMAS);
  if (!existsSync(url)) continue;
  const schema = JSON.parse(readFileSync(url, "utf8"));
  if (root) parts.push(declare(root, schema));
  for (const [name, of] of Object.entries(schema.$defs ?? {})) parts.push(declare(pascal(name), of));
}
const text = parts.join("\n");
const before = existsSync(OUT) ? readFileSync(OUT, "utf8") : "";
if (process.argv.includes("--check")) {
  if (before !== text) {
    console.error("src/api/schema.ts is not what the schemas give: run `npm run types`");
    process.exit(1);
  }
} else if (before !== text) {
  writeFileSync(OUT, text);
}
