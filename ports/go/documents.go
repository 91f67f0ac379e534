package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/bits"
	"reflect"
	"strings"
	"unicode/utf16"
)

const (
	tagParameters = "CaPC/0.1/parameters"
	tagSession    = "CaPC/0.1/session"
	headerBytes   = 44
	helloType     = 1
	helloSlack    = 1 << 18
)

// JSON, and its canonical form.

// parse reads one value, whose numbers stay as they were written; none is beyond what a float holds.
func parse(line []byte) (any, error) {
	var whole, value any
	if err := json.Unmarshal(line, &whole); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	err := decoder.Decode(&value)
	return value, err
}

// canonical is the one text of a value: names sorted, no spaces, and ASCII only.
func canonical(value any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	var told strings.Builder
	for _, char := range strings.TrimSuffix(out.String(), "\n") {
		if char < 0x80 {
			told.WriteRune(char)
			continue
		}
		for _, unit := range utf16.Encode([]rune{char}) {
			fmt.Fprintf(&told, "\\u%04x", unit)
		}
	}
	return told.String()
}

// Parties, and the header of every message.

var roleCodes = map[string]byte{"querying_party": 0, "answering_party": 1, "privacy_guardian": 2}

type party struct {
	role  string
	index uint16
}

func partyNamed(name string) party {
	var index uint16
	if read, _ := fmt.Sscanf(name, "answering_party_%d", &index); read == 1 {
		return party{"answering_party", index}
	}
	return party{role: name}
}

func (who party) requireOf(holds bool, code string) {
	if !holds {
		refuse(code, who.role, int(who.index))
	}
}

func header(kind int, tag []byte, query, layer int, sender, receiver party) []byte {
	made := append([]byte{byte(kind)}, tag...)
	made = append(binary.LittleEndian.AppendUint32(made, uint32(query)), byte(layer))
	for _, end := range []party{sender, receiver} {
		made = binary.LittleEndian.AppendUint16(append(made, roleCodes[end.role]), end.index)
	}
	return made
}

// opened gives the payload of a message with this header, and refuses the first field that differs.
func opened(message, wanted []byte, sender party) []byte {
	sender.requireOf(len(message) >= headerBytes, "malformed_length")
	begin, codes := 0, "wrong_message_type foreign_session wrong_query wrong_layer wrong_sender wrong_receiver"
	for place, code := range strings.Fields(codes) {
		end := []int{1, 33, 37, 38, 41, headerBytes}[place]
		sender.requireOf(bytes.Equal(message[begin:end], wanted[begin:end]), code)
		begin = end
	}
	return message[headerBytes:]
}

func headerOf(given object) []byte {
	sender, receiver := partyNamed(text(given, "sender")), partyNamed(text(given, "receiver"))
	tag := data(given, "session_tag")
	return header(count(given, "type"), tag, count(given, "query"), count(given, "layer"), sender, receiver)
}

func message(request, given object) object {
	if request["op"] == "message_seal" {
		return object{"message": hex.EncodeToString(append(headerOf(given), data(given, "payload")...))}
	}
	sender := partyNamed(text(given, "sender"))
	payload := opened(data(given, "message"), headerOf(given), sender)
	sender.requireOf(len(payload) == count(given, "length"), "malformed_length")
	return object{"payload": hex.EncodeToString(payload)}
}

func hello(request, given object) object {
	session := field[object](field[object](request, "params"), "session")
	checkSession(session)
	own, me := canonical(session), party{text(request, "role"), uint16(count(request, "party_index"))}
	if request["op"] == "hello" {
		made := header(helloType, make([]byte, 32), 0, 0, me, partyNamed(text(given, "receiver")))
		return object{"message": hex.EncodeToString(append(made, own...))}
	}
	sender := partyNamed(text(given, "sender"))
	payload := opened(data(given, "message"), header(helloType, make([]byte, 32), 0, 0, sender, me), sender)
	sender.requireOf(len(payload) <= len(own)+helloSlack, "malformed_length")
	if string(payload) == own {
		return object{}
	}
	isASCII := bytes.IndexFunc(payload, func(char rune) bool { return char > 0x7f }) < 0
	theirs, err := parse(payload)
	sender.requireOf(!isASCII || err != nil || reflect.DeepEqual(theirs, any(session)), "parameter_mismatch")
	sender.requireOf(false, "non_canonical")
	return nil
}

// Parameters and sessions: sections 03, 07 and 16.

// digests are those of parameters, and of a session.
func digests(request, given object) object {
	session, isSession := given["session"].(object)
	if isSession {
		checkSession(session)
		given = session
	}
	parameters := field[object](given, "parameters")
	checkParameters(parameters)
	digest := sha256.Sum256([]byte(tagParameters + canonical(parameters)))
	if isSession {
		tag := sha256.Sum256([]byte(tagSession + string(digest[:]) + canonical(session)))
		return object{"tag": hex.EncodeToString(tag[:])}
	}
	bytes := hex.EncodeToString([]byte(canonical(parameters)))
	return object{"canonical": bytes, "digest": hex.EncodeToString(digest[:])}
}

// rational is a field of a document; nil if it is null or not there.
func rational(document object, name string) *big.Rat {
	if document[name] == nil {
		return nil
	}
	value, fits := new(big.Rat).SetString(fmt.Sprint(document[name]))
	require(fits, "parameter_error")
	return value
}

func checkParameters(document object) {
	require(document["spec_version"] == specVersion, "parameter_error")
	logit, guard := count(document, "logit_bits"), count(document, "guard_bits")
	for name, limits := range map[string][2]int{
		"guard_bits": {1, 16}, "logit_bits": {3, 59 - guard}, "vote_bits": {2, 64}, "grid_bits": {0, 16},
		"fraction_bits": {0, logit - 2}, "num_classes": {2, 1024}, "num_features": {1, 1 << 20},
	} {
		value := count(document, name)
		require(limits[0] <= value && value <= limits[1], "parameter_error")
	}
	primes := integers(document, "he_coefficient_bits")
	require(len(primes) >= 2, "parameter_error")
	for _, size := range primes {
		require(size.IsInt64() && 2 <= size.Int64() && size.Int64() <= 60, "parameter_error")
	}
	checkPolicy(document)
}

func checkPolicy(document object) {
	positive := func(value *big.Rat) bool { return value != nil && value.Sign() > 0 }
	one := big.NewRat(1, 1)
	threshold, own := rational(document, "threshold"), rational(document, "threshold_sigma")
	order, joint, cost := rational(document, "renyi_order"), rational(document, "joint_cost"), rational(document, "argmax_cost")
	delta, counted := rational(document, "delta"), rational(document, "argmax_queries")
	single, worstCase := document["threshold_mode"] == "single_draw", document["charge"] == "worst_case"
	gaussian, onGrid := document["mechanism"] == "rounded_gaussian", !single
	if threshold != nil {
		scaled := times(threshold, new(big.Rat).SetInt(powerOfTwo(count(document, "grid_bits"))))
		onGrid = threshold.Sign() >= 0 && scaled.IsInt()
	}
	for _, holds := range []bool{
		positive(rational(document, "sigma")), positive(rational(document, "epsilon")),
		positive(delta) && delta.Cmp(one) < 0,
		onGrid,
		(own != nil) == (threshold != nil && !single),
		positive(own) || own == nil && worstCase,
		order != nil || counted != nil || document["mechanism"] != "skellam" && joint == nil,
		order == nil || order.Cmp(one) > 0 && order.Cmp(big.NewRat(1<<20, 1)) <= 0,
		joint == nil || positive(joint) && own != nil && worstCase && gaussian,
		cost == nil || positive(cost) && order != nil && counted == nil,
		counted == nil || order == nil && positive(counted) && counted.Num().BitLen() <= 32,
		cost == nil && counted == nil || joint == nil && own == nil && worstCase,
	} {
		require(holds, "parameter_error")
	}
}

func checkSession(session object) {
	parameters, participants := field[object](session, "parameters"), list(session, "participants")
	checkParameters(parameters)
	require(3 <= len(participants) && len(participants) <= 4098, "parameter_error")
	require(len(data(session, "session_id")) == 32, "parameter_error")
	seen, last := map[string]bool{}, len(participants)-1
	for place, entry := range participants {
		participant, wanted := entry.(object), party{"answering_party", uint16(place)}
		if place == 0 {
			wanted = party{"querying_party", 0}
		} else if place == last {
			wanted = party{"privacy_guardian", 0}
		}
		require(partyNamed(text(participant, "party")) == wanted, "parameter_error")
		identity := text(participant, "identity")
		require(len(identity) == 64 && !seen[identity], "parameter_error")
		seen[identity] = true
		stages, has := participant["architecture"].([]any)
		require(has == (wanted.role == "answering_party") && (!has || isChain(stages, parameters)), "parameter_error")
	}
	checkVotes(parameters, int64(last-1))
}

// isChain says whether dense stages lead from the features to a logit for each class.
func isChain(stages []any, parameters object) bool {
	lengths := []int{count(parameters, "num_features")}
	for _, entry := range stages {
		stage := entry.(object)
		operator, source := field[object](stage, "operator"), count(stage, "source")
		if operator["kind"] != "dense" {
			panic(refusal{"skipped": "only dense layers are there yet"})
		}
		if source < 0 || source >= len(lengths) || lengths[source] != count(operator, "inputs") {
			return false
		}
		lengths = append(lengths, count(operator, "outputs"))
	}
	return len(stages) > 0 && lengths[len(stages)] == count(parameters, "num_classes")
}

// checkVotes is CAPC-PARAM-031 to 033: votes and noise fit the ring, and the threshold is not above the votes.
func checkVotes(parameters object, votes int64) {
	threshold, own := rational(parameters, "threshold"), rational(parameters, "threshold_sigma")
	require(threshold == nil || threshold.Cmp(big.NewRat(votes, 1)) <= 0, "parameter_error")
	noise := noiseBound(parameters, rational(parameters, "sigma"), 0)
	if own != nil {
		draws := map[bool]int64{false: 1, true: 2}[parameters["charge"] == "realised"]
		noise = noiseBound(parameters, rational(parameters, "sigma"), draws)
		checks := noiseBound(parameters, own, draws)
		if checks.Mul(checks, big.NewInt(draws)).Cmp(noise) > 0 {
			noise = checks
		}
	}
	reached := noise.Add(noise, new(big.Int).Lsh(big.NewInt(votes), uint(count(parameters, "grid_bits"))))
	require(reached.Cmp(powerOfTwo(count(parameters, "vote_bits")-1)) < 0, "parameter_error")
}

// noiseBound is t(s) of section 03, in units of the grid.
func noiseBound(parameters object, sigma *big.Rat, draws int64) *big.Int {
	outcomes := uint64(4 * int64(count(parameters, "num_classes")) * (1 + draws))
	nats := big.NewRat(6932*int64(failureBits(parameters)+bits.Len64(outcomes)), 10_000)
	unit := new(big.Rat).SetInt(powerOfTwo(count(parameters, "grid_bits")))
	square := times(unit, unit, sigma, sigma, nats, big.NewRat(2, 1))
	if parameters["mechanism"] != "skellam" {
		return new(big.Int).Add(ceilingOfRoot(square), big.NewInt(1))
	}
	third := times(nats, big.NewRat(1, 3))
	return new(big.Int).Add(ceilingOfRoot(square.Add(square, times(third, third))), ceiling(third))
}

// failureBits is f of section 03: more where labels are charged, as wraps cost privacy then.
func failureBits(parameters object) int {
	if parameters["argmax_cost"] == nil && parameters["argmax_queries"] == nil {
		return 40
	}
	ofEpsilon := ceiling(times(rational(parameters, "epsilon"), big.NewRat(14_427, 10_000)))
	require(ofEpsilon.BitLen() < 32, "parameter_error")
	// It is 53 at the least.
	return 53 + int(ofEpsilon.Int64()) + ceiling(new(big.Rat).Inv(rational(parameters, "delta"))).BitLen()
}

func times(values ...*big.Rat) *big.Rat {
	product := big.NewRat(1, 1)
	for _, value := range values {
		product.Mul(product, value)
	}
	return product
}

func ceiling(value *big.Rat) *big.Int {
	raised := new(big.Int).Add(value.Num(), value.Denom())
	return raised.Sub(raised, big.NewInt(1)).Quo(raised, value.Denom())
}

// ceilingOfRoot is the smallest integer whose square is at least a positive value.
func ceilingOfRoot(value *big.Rat) *big.Int {
	below := new(big.Int).Sub(ceiling(value), big.NewInt(1))
	return below.Sqrt(below).Add(below, big.NewInt(1))
}
