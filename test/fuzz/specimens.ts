import type { Subject } from './subject.ts'

/** What the checks must find: parsers that are wrong, each in its own way. */

function specimen<Result>(
  name: string,
  run: (text: string) => Result,
  problem: (result: Result) => string | undefined,
): Subject<Result> {
  return { name, slots: [{ name: 'text', seeds: ['a, b', '1'] }], run: ([text = '']) => run(text), problem }
}

const fine = (): undefined => undefined

/** Goes over what it has read for each character that follows. */
const nestedLoops: Subject = specimen(
  'nested loops',
  (text) => {
    let commas = 0
    for (let end = 0; end < text.length; end++) {
      for (let index = 0; index < end; index++) if (text.charCodeAt(index) === 0x2c) commas++
    }
    return commas
  },
  fine,
)

/** One loop, but each turn copies all that came before. */
const copiedList: Subject = specimen(
  'a list copied in a loop',
  (text) => {
    let members: string[] = []
    for (const member of text.split(',')) members = [...members, member]
    return members
  },
  fine,
)

/** One loop, but each turn looks through all that came before. */
const searchedList: Subject = specimen(
  'a list searched in a loop',
  (text) => {
    const seen: string[] = []
    for (const member of text.split(',')) if (!seen.includes(member)) seen.push(member)
    return seen
  },
  fine,
)

/** No loop at all. */
const searchingPattern: Subject = specimen('a pattern that begins again everywhere', (text) => /a*b/.test(text), fine)

const throwing: Subject = specimen(
  'one that throws',
  (text) => {
    if (text.includes('"')) throw new SyntaxError('a quote')
    return text
  },
  fine,
)

const notANumber: Subject = specimen('one that makes NaN', Number, (result) =>
  Number.isNaN(result) ? 'a number is a number' : undefined,
)

/** Too much work, seen in the steps. */
export const SPECIMENS: readonly Subject[] = [nestedLoops, copiedList, searchedList]

/** Too much work, seen in the time only. */
export const SLOW_SPECIMEN: Subject = searchingPattern

/** Wrong results. */
export const WRONG_SPECIMENS: readonly Subject[] = [throwing, notANumber]
