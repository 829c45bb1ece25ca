import type { Ask } from './load.ts'

/** `Host` and `Connection`. */
export const TWO_FIELDS: Ask = {}

/** What a browser sends with a `fetch`; no coding is asked for, that is a table of its own. */
export const TWELVE_FIELDS: Ask = {
  fields: {
    'sec-ch-ua': '"Chromium";v="142", "Not_A Brand";v="99"',
    'sec-ch-ua-mobile': '?0',
    'sec-ch-ua-platform': '"Linux"',
    'User-Agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    Accept: 'application/json, text/plain, */*',
    'Accept-Encoding': 'identity',
    'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
    'Sec-Fetch-Site': 'same-origin',
    'Sec-Fetch-Mode': 'cors',
    'Sec-Fetch-Dest': 'empty',
  },
}
