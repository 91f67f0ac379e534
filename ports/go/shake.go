package main

import (
	"encoding/binary"
	"math/bits"
)

const (
	rate        = 136
	streamLimit = 1 << 24
)

// stream is SHAKE-256 (FIPS 202), which Go's standard library has from 1.24 on only; it ends after 2^24 bytes.
type stream struct {
	state [25]uint64
	read  int
}

func newStream(data []byte) *stream {
	data = append(append([]byte{}, data...), 0x1f)
	for len(data)%rate != 0 {
		data = append(data, 0)
	}
	data[len(data)-1] |= 0x80
	from := &stream{}
	for ; len(data) > 0; data = data[rate:] {
		for lane := 0; lane < rate/8; lane++ {
			from.state[lane] ^= binary.LittleEndian.Uint64(data[8*lane:])
		}
		from.permute()
	}
	return from
}

func (from *stream) bytes(length int) []byte {
	require(from.read+length <= streamLimit, "randomness_exhausted")
	drawn := make([]byte, length)
	for at := range drawn {
		place := from.read % rate
		if place == 0 && from.read > 0 {
			from.permute()
		}
		drawn[at] = byte(from.state[place/8] >> (8 * (place % 8)))
		from.read++
	}
	return drawn
}

func (from *stream) permute() {
	state, constants := &from.state, byte(1)
	for round := 0; round < 24; round++ {
		var columns [5]uint64
		for place, lane := range state {
			columns[place%5] ^= lane
		}
		for place := range state {
			state[place] ^= columns[(place+4)%5] ^ bits.RotateLeft64(columns[(place+1)%5], 1)
		}
		x, y, moved := 1, 0, state[1]
		for step := 1; step < 25; step++ {
			x, y = y, (2*x+3*y)%5
			moved, state[x+5*y] = state[x+5*y], bits.RotateLeft64(moved, step*(step+1)/2%64)
		}
		for row := 0; row < 25; row += 5 {
			old := [5]uint64{state[row], state[row+1], state[row+2], state[row+3], state[row+4]}
			for x := range old {
				state[row+x] ^= ^old[(x+1)%5] & old[(x+2)%5]
			}
		}
		for bit := 0; bit < 7; bit++ {
			state[0] ^= uint64(constants&1) << (1<<bit - 1)
			constants = constants<<1 ^ constants>>7*0x71
		}
	}
}
