// A starter: the level `encodings` of the specification in Go's standard library, as a port for `capc conformance`.
//
//	go build -o port ports/go/*.go && capc conformance run --level encodings --port ./port
//
// Take it as the beginning of a port: it needs Go 1.19 or later and nothing else. What it does not do yet it skips: add
// operations to `operations`, and states beside them. Models are chains of dense layers here, and rules of section 06
// about HE primes are not checked.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"os"
	"strconv"
)

const (
	specVersion = "0.1.1"
	tagXof      = "CaPC/0.1/xof"
	seedBytes   = 32
)

// object is an object of JSON; other values are those of encoding/json, with numbers as they were written.
type object = map[string]any

// refusal is what a panic carries where there is no output: the outcome of the reply.
type refusal object

func refuse(code, blame string, index int) {
	panic(refusal{"error": object{"code": code, "blame": blame, "party_index": index}})
}

func require(holds bool, code string) {
	if !holds {
		refuse(code, "caller", 0)
	}
}

func main() {
	for requests := bufio.NewReader(os.Stdin); ; {
		line, end := requests.ReadBytes('\n')
		value, err := parse(line)
		request, is := value.(object)
		if end != nil || err != nil || !is {
			os.Exit(1)
		}
		reply := answer(request)
		reply["id"] = request["id"]
		fmt.Println(canonical(reply))
		if request["request"] == "stop" {
			return
		}
	}
}

func answer(request object) (reply object) {
	defer func() {
		switch found := recover().(type) {
		case nil:
		case refusal:
			reply = object(found)
		default:
			reply = object{"errored": fmt.Sprint(found)}
		}
	}()
	switch request["request"] {
	case "start":
		return object{"out": object{
			"name": "starter", "language": "Go", "version": "0.1", "spec_version": specVersion,
			"snapshots": false, "codes": object{},
		}}
	case "reset", "stop":
		return object{"out": object{}}
	case "run":
		if operation, known := operations[text(request, "op")]; known {
			return object{"out": operation(request, request["in"].(object))}
		}
	}
	return object{"skipped": fmt.Sprintf("%v %v is not there yet", request["request"], request["op"])}
}

var operations = map[string]func(request, given object) object{
	"ring_add": ring, "ring_subtract": ring, "ring_scale": ring, "ring_signed": ring, "mask_and_open": ring,
	"elements_to_bytes": elementsToBytes, "elements_from_bytes": elementsFromBytes, "quantise": quantise,
	"xof_read": xof, "xof_bits": xof, "xof_below": xof, "message_seal": message, "message_open": message,
	"parameters_digest": digests, "session_tag": digests, "hello": hello, "check_hello": hello,
}

// Fields of requests.

func field[T any](given object, name string) T {
	value, fits := given[name].(T)
	if !fits {
		panic(name + " is missing, or of another type")
	}
	return value
}

func text(given object, name string) string { return field[string](given, name) }
func list(given object, name string) []any  { return field[[]any](given, name) }

func data(given object, name string) []byte {
	read, err := hex.DecodeString(text(given, name))
	if err != nil {
		panic(err)
	}
	return read
}

// integerOf reads an integer of the protocol, which is a text, or a number.
func integerOf(value any) *big.Int {
	read, fits := new(big.Int).SetString(fmt.Sprint(value), 10)
	require(fits, "input_error")
	return read
}

func count(given object, name string) int { return int(integerOf(given[name]).Int64()) }

func integers(given object, name string) []*big.Int {
	var read []*big.Int
	for _, entry := range list(given, name) {
		read = append(read, integerOf(entry))
	}
	return read
}

func texts(values []*big.Int) []any {
	told := []any{}
	for _, value := range values {
		told = append(told, value.String())
	}
	return told
}

// Rings, elements as bytes, fixed point.

func powerOfTwo(width int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(width)) }

func widthOf(given object) int {
	width := count(given, "width")
	require(width >= 1, "input_error")
	return width
}

// each combines entries with those of another list, or with its only one, modulo 2^width.
func each(left, right []*big.Int, width int, combine func(z, x, y *big.Int) *big.Int) []*big.Int {
	var made []*big.Int
	for place, value := range left {
		result := combine(new(big.Int), value, right[place%len(right)])
		made = append(made, result.Mod(result, powerOfTwo(width)))
	}
	return made
}

func signed(elements []*big.Int, width int) []any {
	read := []*big.Int{}
	for _, element := range elements {
		sign := new(big.Int).Lsh(big.NewInt(int64(element.Bit(width-1))), uint(width))
		read = append(read, sign.Sub(element, sign))
	}
	return texts(read)
}

func ring(request, given object) object {
	width := widthOf(given)
	switch request["op"] {
	case "ring_add":
		return object{"elements": texts(each(integers(given, "left"), integers(given, "right"), width, (*big.Int).Add))}
	case "ring_subtract":
		return object{"elements": texts(each(integers(given, "left"), integers(given, "right"), width, (*big.Int).Sub))}
	case "ring_scale":
		factor := []*big.Int{integerOf(given["factor"])}
		return object{"elements": texts(each(integers(given, "elements"), factor, width, (*big.Int).Mul))}
	case "ring_signed":
		return object{"values": signed(integers(given, "elements"), width)}
	}
	masks := integers(given, "masks")
	masked := each(integers(given, "values"), masks, width, (*big.Int).Add)
	opened := signed(each(masked, masks, width, (*big.Int).Sub), width)
	return object{"masked": texts(masked), "opened": opened}
}

// littleEndian writes a number in so many bytes, or reads one.
func littleEndian(value *big.Int, length int) []byte {
	return reversed(value.FillBytes(make([]byte, length)))
}

func fromLittleEndian(read []byte) *big.Int { return new(big.Int).SetBytes(reversed(read)) }

func reversed(read []byte) []byte {
	turned := make([]byte, len(read))
	for place, value := range read {
		turned[len(read)-1-place] = value
	}
	return turned
}

func elementsToBytes(_, given object) object {
	length, made := (widthOf(given)+7)/8, []byte{}
	for _, element := range integers(given, "elements") {
		made = append(made, littleEndian(element, length)...)
	}
	return object{"data": hex.EncodeToString(made)}
}

func elementsFromBytes(_, given object) object {
	width, read := widthOf(given), data(given, "data")
	length := (width + 7) / 8
	require(len(read)%length == 0, "input_error")
	var elements []*big.Int
	for ; len(read) > 0; read = read[length:] {
		element := fromLittleEndian(read[:length])
		if element.BitLen() > width {
			refuse("value_out_of_range", "sender", 0)
		}
		elements = append(elements, element)
	}
	return object{"elements": texts(elements)}
}

func quantise(_, given object) object {
	var made []*big.Int
	for _, entry := range list(given, "values") {
		value, err := strconv.ParseFloat(fmt.Sprint(entry), 64)
		require(err == nil && !math.IsNaN(value) && !math.IsInf(value, 0), "input_error")
		// Scaling by a power of two is exact.
		rounded := math.RoundToEven(math.Ldexp(value, count(given, "fraction_bits")))
		whole, _ := big.NewFloat(rounded).Int(nil)
		made = append(made, whole)
	}
	return object{"integers": texts(made)}
}

// The stream of a seed and a label.

func (from *stream) bits(width int) *big.Int {
	drawn := fromLittleEndian(from.bytes((width + 7) / 8))
	return drawn.Mod(drawn, powerOfTwo(width))
}

func (from *stream) below(bound *big.Int) *big.Int {
	require(bound.Sign() > 0, "input_error")
	width := new(big.Int).Sub(bound, big.NewInt(1)).BitLen()
	for {
		if drawn := from.bits(width); drawn.Cmp(bound) < 0 {
			return drawn
		}
	}
}

func xof(request, given object) object {
	seed := data(given, "seed")
	require(len(seed) == seedBytes, "input_error")
	framed := bytes.Join([][]byte{[]byte(tagXof), {seedBytes}, seed, data(given, "label")}, nil)
	from, drawn := newStream(framed), []*big.Int{}
	switch request["op"] {
	case "xof_read":
		return object{"data": hex.EncodeToString(from.bytes(count(given, "length")))}
	case "xof_bits":
		for _, width := range integers(given, "widths") {
			drawn = append(drawn, from.bits(int(width.Int64())))
		}
		return object{"integers": texts(drawn)}
	}
	for _, bound := range integers(given, "bounds") {
		drawn = append(drawn, from.below(bound))
	}
	return object{"integers": texts(drawn), "next": hex.EncodeToString(from.bytes(8))}
}
