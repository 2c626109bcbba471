package message

import "net"

// ownBytes is how much ownSource reads at once.
const ownBytes = 16 << 10

// ownSource reads any connection, with a buffer of its own.
type ownSource struct {
	conn net.Conn
	buf  []byte
}

func (s *ownSource) Next() ([]byte, error) {
	if s.buf == nil {
		s.buf = make([]byte, ownBytes)
	}
	for {
		n, err := s.conn.Read(s.buf)
		if n > 0 {
			return s.buf[:n], nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *ownSource) Release() {}
