/** SHA-256 of a string's UTF-8 bytes as 64 lower-case hexadecimal digits. */
export type Sha256 = (text: string) => string;
