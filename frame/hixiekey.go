package frame

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"strconv"
)

// HixieBody is how many bytes follow the head of a draft 76 request.
const HixieBody = 8

// HixieKey is the number hidden in a Sec-WebSocket-Key1 or -Key2: its digits,
// divided by how many spaces it has (draft 76, 5.2).
func HixieKey(key string) (uint32, error) {
	var digits []byte
	spaces := uint64(0)
	for _, c := range []byte(key) {
		switch {
		case c == ' ':
			spaces++
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		}
	}
	number, err := strconv.ParseUint(string(digits), 10, 32)
	switch {
	case spaces == 0:
		return 0, errors.New("has no space in it")
	case err != nil:
		return 0, errors.New("has no number of 32 bits in it")
	case number%spaces != 0:
		return 0, errors.New("has a number that its spaces do not divide")
	}
	return uint32(number / spaces), nil
}

// HixieAnswer is what follows the head of the answer, for both keys' numbers
// and the request's last bytes: it shows that they were read.
func HixieAnswer(one, two uint32, body [HixieBody]byte) [md5.Size]byte {
	challenge := binary.BigEndian.AppendUint32(nil, one)
	challenge = binary.BigEndian.AppendUint32(challenge, two)
	return md5.Sum(append(challenge, body[:]...))
}
