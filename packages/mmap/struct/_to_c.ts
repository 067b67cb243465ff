/** Structs as C declares them. */

import type { Declarations, Layout } from "./_field.ts";
import { describe, fingerprint } from "./_description.ts";
import type { StructLayout } from "./struct.ts";

const WORDS = new Set(
  ("auto break case char const continue default do double else enum extern float for goto if inline int long " +
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while " +
    "asm typeof bool true false alignas alignof constexpr nullptr static_assert thread_local typeof_unqual offsetof " +
    // Macros: of the headers that a declaration includes, and of compilers unless told `-std=c11`.
    "NULL unix linux i386")
    .split(" "),
);
/** Macros of <stdint.h>. */
const LIMITS = /^(U?INT(_LEAST|_FAST)?(\d+|PTR|MAX)|PTRDIFF|SIG_ATOMIC|SIZE|WCHAR|WINT)_(MIN|MAX)$/;

/** Declares a struct and those in it. */
export function declareStruct(layout: StructLayout, name: string = layout.ownName ?? "data"): string {
  const tags = new Map<Layout, string>();
  const taken = new Set<string>();
  const parts: string[] = [];
  const declarations: Declarations = {
    tag(of, wanted) {
      const known = tags.get(of);
      if (known !== undefined) return known;
      const inner = of as StructLayout;
      let tag = inner.ownName ?? wanted;
      while (taken.has(tag)) tag += "_";
      tags.set(of, tag);
      taken.add(tag);
      parts.push(one(inner, tag, declarations));
      return tag;
    },
  };
  declarations.tag({ ...layout, ownName: undefined } as StructLayout, name);
  const hash = fingerprint(describe(layout)).toString(16).padStart(16, "0");
  return [
    "#include <stdbool.h>",
    "#include <stddef.h>",
    "#include <stdint.h>",
    "",
    `#define ${name.toUpperCase()}_FINGERPRINT UINT64_C(0x${hash})`,
    ...parts.map((part) => `\n${part}`),
  ].join("\n") + "\n";
}

function one(
  { members, packed, byteLength, align }: StructLayout,
  tag: string,
  declarations: Declarations,
): string {
  checkName(tag);
  const names = new Set(members.map(({ name }) => name));
  const lines: string[] = [];
  let end = 0;
  for (const { name, at, layout } of members) {
    checkName(name);
    const natural = packed ? end : Math.ceil(end / layout.align) * layout.align;
    if (at !== natural) {
      let gap = `gap_${end}`;
      while (names.has(gap)) gap += "_";
      names.add(gap);
      lines.push(`  uint8_t ${gap}[${at - end}];`);
    }
    lines.push(`  ${layout.declare(name, declarations, tag)};`);
    end = at + layout.byteLength;
  }
  const assertions = [
    `_Static_assert(sizeof(struct ${tag}) == ${byteLength}, "size of struct ${tag}");`,
    `_Static_assert(_Alignof(struct ${tag}) == ${align}, "alignment of struct ${tag}");`,
    ...members.map(({ name, at }) => {
      return `_Static_assert(offsetof(struct ${tag}, ${name}) == ${at}, "offset of ${name} in struct ${tag}");`;
    }),
  ];
  const attribute = packed ? " __attribute__((packed))" : "";
  // Declarations of two structs with the same in both can be in one file; the assertions tell whether it is the same.
  const guard = `STRUCT_${tag}_DECLARED`;
  const declaration = [`struct ${tag} {`, ...lines, `}${attribute};`];
  return [`#ifndef ${guard}`, `#define ${guard}`, ...declaration, "#endif", ...assertions].join("\n");
}

function checkName(name: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !WORDS.has(name) && !LIMITS.test(name)) return;
  throw new TypeError(`Cannot declare "${name}" in C: it is no name there`);
}
