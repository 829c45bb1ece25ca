const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** The preferred form: `Sun, 06 Nov 1994 08:49:37 GMT`. Epoch ms. */
export function imfDate(at: number): string {
  const { day, dd, month, year, time } = partsOf(at)
  return `${day.slice(0, 3)}, ${dd} ${month} ${year} ${time} GMT`
}

/** The form of RFC 850: `Sunday, 06-Nov-94 08:49:37 GMT`. Epoch ms. */
export function rfc850Date(at: number): string {
  const { day, dd, month, year, time } = partsOf(at)
  return `${day}, ${dd}-${month}-${year.slice(-2)} ${time} GMT`
}

/** The form of C's asctime: `Sun Nov  6 08:49:37 1994`. Epoch ms. */
export function asctimeDate(at: number): string {
  const { day, dd, month, year, time } = partsOf(at)
  return `${day.slice(0, 3)} ${month} ${dd.replace(/^0/, ' ')} ${time} ${year}`
}

function partsOf(at: number): { day: string; dd: string; month: string; year: string; time: string } {
  const date = new Date(at)
  return {
    day: DAYS[date.getUTCDay()] ?? '',
    dd: String(date.getUTCDate()).padStart(2, '0'),
    month: MONTHS[date.getUTCMonth()] ?? '',
    year: String(date.getUTCFullYear()),
    time: date.toISOString().slice(11, 19),
  }
}
