import { boundaryFor, type MultipartByteranges, multipartByteranges } from '../../../lib/http/byteranges.ts'
import { queryKey } from '../../../lib/http/query-content.ts'
import { CODING, LANGUAGE, MEDIA_TYPE } from '../seeds.ts'
import { firstOf, type Subject } from '../subject.ts'

/** What is hashed instead of its hash: two inputs with one key are then two inputs with the same octets. */
const asHashed = (octets: Buffer): string => octets.toString('latin1')

const content: Subject<string | undefined> = {
  name: 'queryKey',
  slots: [
    { name: 'Content-Type', seeds: MEDIA_TYPE, optional: true },
    { name: 'Content-Encoding', seeds: CODING, optional: true },
    { name: 'Content-Language', seeds: LANGUAGE, optional: true },
    { name: 'content', seeds: ['{"a":1}', ''] },
  ],
  run: ([type, coding, language, text = '']) =>
    queryKey(
      Buffer.from(text),
      { 'content-type': type, 'content-encoding': coding, 'content-language': language },
      asHashed,
    ),
  problem: (result, [type, coding, language, text = '']) => {
    if (result === undefined) return firstOf({ 'only without a type is there no key (QRY-6)': !type })
    // The same characters, split between the parts in other places.
    const others = [
      [`${type}${coding ?? ''}`, undefined, language, text],
      [type, `${coding ?? ''}${language ?? ''}`, undefined, text],
      [type, coding, undefined, `${language ?? ''}${text}`],
      [type, language, coding, text],
    ]
    const same = [type, coding, language, text]
    return firstOf({
      'no part can imitate another (QRY-3)': others.every(
        (other) => content.run(other) !== result || other.every((part, index) => part === same[index]),
      ),
    })
  },
}

const BODY = Buffer.from('--0123456789abcdef')

const parts: Subject<MultipartByteranges> = {
  name: 'multipartByteranges',
  slots: [
    { name: 'Content-Type', seeds: MEDIA_TYPE, optional: true },
    { name: 'body', seeds: ['hello', '--abc\r\n'] },
  ],
  run: ([contentType, text = '']) => {
    const body = Buffer.concat([BODY, Buffer.from(text)])
    const boundary = boundaryFor(body, (size) => Buffer.alloc(size, 0xa5)) ?? 'none'
    const ranges = [
      { start: 0, end: 1 },
      { start: 5, end: body.length - 1 },
    ]
    return multipartByteranges({ body, ranges, contentType, boundary })
  },
  problem: ({ contentType, body }, [, text = '']) =>
    firstOf({
      'the boundary needs no quotes (RNG-11)': /^multipart\/byteranges; boundary=[a-z0-9]+$/.test(contentType),
      'it ends with the last boundary (RNG-11)': body
        .toString('latin1')
        .endsWith(`--${contentType.slice(contentType.indexOf('=') + 1)}--\r\n`),
      'the parts are in it': body.includes(Buffer.concat([BODY.subarray(5), Buffer.from(text)])),
    }),
}

/** What reads or writes content. */
export const CONTENT: readonly Subject[] = [content, parts]
