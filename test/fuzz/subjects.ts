import type { Subject } from './subject.ts'
import { CONTENT } from './subjects/content.ts'
import { DIRECTIVES } from './subjects/directives.ts'
import { LISTS } from './subjects/lists.ts'
import { STRUCTURED } from './subjects/structured.ts'
import { TARGETS } from './subjects/targets.ts'
import { UPDATES } from './subjects/updates.ts'
import { VALIDATORS } from './subjects/validators.ts'
import { VERDICTS } from './subjects/verdicts.ts'

/** Every parser of lib/http. */
export const SUBJECTS: readonly Subject[] = [
  ...DIRECTIVES,
  ...LISTS,
  ...VALIDATORS,
  ...TARGETS,
  ...STRUCTURED,
  ...UPDATES,
  ...CONTENT,
  ...VERDICTS,
]
