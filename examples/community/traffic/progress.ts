import type { WriteStream } from 'node:tty'

export interface ProgressLine {
  readonly update: (done: number, total: number, note?: string) => void
  /** Finish the line, where there is one. */
  readonly end: () => void
}

/** A live line on a terminal; elsewhere a line for every tenth. */
export function progressLine(options: {
  readonly label: string
  readonly stream: Pick<WriteStream, 'write'> & { readonly isTTY?: boolean }
}): ProgressLine {
  const { label, stream } = options
  let shown = ''
  let tenth = 0
  return {
    update: (done, total, note = '') => {
      const percent = total === 0 ? 100 : Math.floor((done * 100) / total)
      const line = `${label}: ${percent} %${note === '' ? '' : `, ${note}`}`
      if (stream.isTTY === true) {
        if (line === shown) return
        stream.write(`\r${line.padEnd(shown.length)}`)
        shown = line
      } else if (percent >= (tenth + 1) * 10) {
        tenth = Math.floor(percent / 10)
        stream.write(`${line}\n`)
      }
    },
    end: () => {
      if (shown !== '') stream.write('\n')
    },
  }
}
