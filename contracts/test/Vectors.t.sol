// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {stdJson} from "forge-std/StdJson.sol";

import {HubWallet} from "src/HubWallet.sol";
import {JobTree} from "src/libraries/JobTree.sol";
import {Claim, DealId, DealState, DealTerms, SumNode, UnitLeaf} from "src/types/Deal.sol";
import {BaseTest} from "./utils/BaseTest.sol";
import {FormatsHarness} from "./utils/FormatsHarness.sol";
import {ContentTreeBuilder, JobTreeBuilder, ResultTreeBuilder, WordTreeBuilder, treeDepth} from "./utils/Merkle.sol";
import {Typed} from "./utils/Typed.sol";

/// @notice `tests/vectors/formats.json`, which Rust computes and checks, against the contracts and against the builders
/// the other tests use: every hash, root, digest, signature and amount of docs/protocol.md is the same in both languages.
contract VectorsTest is BaseTest {
    using stdJson for string;

    string private json;
    FormatsHarness private harness;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("../tests/vectors/formats.json");
        harness = new FormatsHarness();
    }

    function _count(string memory list) private view returns (uint256 count) {
        while (json.keyExists(_item(list, count))) ++count;
        assertGt(count, 0, "the list is there");
    }

    function _item(string memory list, uint256 index) private pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(index), "]");
    }

    function _number(string memory item, string memory key) private view returns (uint256) {
        return json.readUint(string.concat(item, ".", key));
    }

    function _word(string memory item, string memory key) private view returns (bytes32) {
        return json.readBytes32(string.concat(item, ".", key));
    }

    function _address(string memory item, string memory key) private view returns (address) {
        return json.readAddress(string.concat(item, ".", key));
    }

    function _bytes(string memory item, string memory key) private view returns (bytes memory) {
        return json.readBytes(string.concat(item, ".", key));
    }

    /* TREES */

    function test_vectors_unitLeaves() public view {
        for (uint256 i = 0; i < _count("unit_leaves"); ++i) {
            string memory item = _item("unit_leaves", i);
            UnitLeaf memory leaf = _unitLeaf(item);
            assertEq(harness.unitLeafHash(leaf), _word(item, "hash"), "contract");
            assertEq(JobTreeBuilder.leaf(leaf), _word(item, "hash"), "builder");
        }
    }

    function _unitLeaf(string memory item) private view returns (UnitLeaf memory) {
        return UnitLeaf({
            index: uint32(_number(item, "index")),
            kind: uint8(_number(item, "kind")),
            programRoot: _word(item, "program_root"),
            inputRoot: _word(item, "input_root"),
            inputLength: uint64(_number(item, "input_length")),
            cuLimit: uint64(_number(item, "cu_limit")),
            pagesMax: uint32(_number(item, "pages_max")),
            outputMax: uint64(_number(item, "output_max")),
            unitSeed: _word(item, "unit_seed")
        });
    }

    function test_vectors_jobTrees() public view {
        for (uint256 i = 0; i < _count("job_trees"); ++i) {
            string memory item = _item("job_trees", i);
            bytes32[] memory leaves = json.readBytes32Array(string.concat(item, ".leaves"));
            assertEq(leaves.length, _number(item, "count"));
            bytes32[][] memory levels = JobTreeBuilder.buildFrom(leaves);
            bytes32 root = JobTreeBuilder.rootOf(leaves.length, levels[levels.length - 1][0]);
            assertEq(root, _word(item, "root"), "root");
            uint256 index = _number(item, "proof_index");
            bytes32[] memory proof = json.readBytes32Array(string.concat(item, ".proof"));
            assertEq(keccak256(abi.encode(JobTreeBuilder.proof(levels, index))), keccak256(abi.encode(proof)), "proof");
        }
    }

    /// @dev The contract opens what Rust committed, and refuses the neighbour of every part of it.
    function test_vectors_jobTreeOfUnitLeaves_isOpenedByTheContract() public view {
        string memory item = _item("unit_leaves", 0);
        UnitLeaf memory leaf = _unitLeaf(item);
        bytes32[] memory leaves = json.readBytes32Array(".job_trees[0].leaves");
        assertEq(leaves[0], _word(item, "hash"), "the one-unit job is the first leaf");
        bytes32 root = json.readBytes32(".job_trees[0].root");
        assertTrue(harness.jobContains(root, 1, leaf, new bytes32[](0)));
        assertFalse(harness.jobContains(root, 2, leaf, new bytes32[](1)));
        leaf.cuLimit += 1;
        assertFalse(harness.jobContains(root, 1, leaf, new bytes32[](0)));
    }

    function test_r02_vectors_resultTrees() public view {
        for (uint256 i = 0; i < _count("result_trees"); ++i) {
            _checkResultTree(_item("result_trees", i));
        }
    }

    function _checkResultTree(string memory item) private view {
        uint32 count = uint32(_number(item, "count"));
        SumNode[][] memory tree = ResultTreeBuilder.build(_resultLeaves(item, count));
        SumNode memory top = ResultTreeBuilder.top(tree);
        bytes32 root = _word(item, "root");
        assertEq(top.hash, _word(item, "tree_hash"), "tree hash");
        assertEq(top.sum, _number(item, "cu_total"), "total");
        assertEq(harness.resultRoot(count, top.hash, top.sum), root, "root");
        assertEq(ResultTreeBuilder.root(count, top), root, "root of the builder");

        uint32 unit = uint32(_number(item, "proof_unit"));
        SumNode[] memory proof = _proof(item);
        assertEq(keccak256(abi.encode(ResultTreeBuilder.proof(tree, unit))), keccak256(abi.encode(proof)), "proof");
        assertTrue(harness.resultContains(root, count, unit, tree[0][unit], proof), "opened by the contract");
        SumNode memory more = SumNode(tree[0][unit].hash, tree[0][unit].sum + 1);
        assertFalse(harness.resultContains(root, count, unit, more, proof), "a larger bill");
    }

    function _resultLeaves(string memory item, uint32 count) private view returns (SumNode[] memory leaves) {
        bool[] memory present = json.readBoolArray(string.concat(item, ".present"));
        bytes32[] memory hashes = json.readBytes32Array(string.concat(item, ".claim_hashes"));
        uint256[] memory cus = json.readUintArray(string.concat(item, ".cus"));
        leaves = new SumNode[](count);
        for (uint32 unit = 0; unit < count; ++unit) {
            if (!present[unit]) continue;
            leaves[unit] = ResultTreeBuilder.leaf(unit, hashes[unit], uint64(cus[unit]));
            assertEq(harness.resultLeafHash(unit, hashes[unit], uint64(cus[unit])), leaves[unit].hash, "leaf");
        }
    }

    function _proof(string memory item) private view returns (SumNode[] memory proof) {
        // A tree of one unit has an empty proof, and an empty JSON list has no type.
        if (treeDepth(_number(item, "count")) == 0) return proof;
        bytes32[] memory hashes = json.readBytes32Array(string.concat(item, ".proof_hashes"));
        uint256[] memory sums = json.readUintArray(string.concat(item, ".proof_sums"));
        proof = new SumNode[](hashes.length);
        for (uint256 i = 0; i < proof.length; ++i) {
            proof[i] = SumNode(hashes[i], uint64(sums[i]));
        }
    }

    function test_vectors_wordTrees() public view {
        for (uint256 i = 0; i < _count("word_trees"); ++i) {
            string memory item = _item("word_trees", i);
            bytes memory data = _bytes(item, "data");
            assertEq(WordTreeBuilder.root(data, _number(item, "depth")), _word(item, "root"));
        }
    }

    function test_vectors_contentRoots() public view {
        for (uint256 i = 0; i < _count("content_roots"); ++i) {
            string memory item = _item("content_roots", i);
            assertEq(ContentTreeBuilder.root(_pattern(_number(item, "length"))), _word(item, "root"));
        }
    }

    /// @dev The bytes the content vectors are of.
    function _pattern(uint256 length) private pure returns (bytes memory data) {
        data = new bytes(length);
        unchecked {
            for (uint256 i = 0; i < length; ++i) {
                data[i] = bytes1(uint8(i) ^ (uint8(i >> 8) * 31));
            }
        }
    }

    function test_vectors_images() public view {
        string[2] memory items = [".images.input", ".images.output"];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory image = _bytes(items[i], "bytes");
            assertEq(image.length, _number(items[i], "length"));
            assertEq(image.length % 32, 0, "padded to whole words");
            assertEq(WordTreeBuilder.root(image, 22), _word(items[i], "root_at_depth_22"));
            assertEq(ContentTreeBuilder.root(image), _word(items[i], "content_root"));
        }
    }

    /* TYPED DATA */

    function test_vectors_machineParams() public view {
        string memory item = ".machine_params";
        bytes memory first = abi.encode(
            _number(item, "machine_version"),
            _number(item, "step_cap_log2"),
            _number(item, "pages_max"),
            _number(item, "input_depth"),
            _number(item, "output_depth")
        );
        bytes memory second = abi.encode(
            _number(item, "memory_depth"),
            _number(item, "code_depth"),
            _number(item, "call_depth_max"),
            _number(item, "locals_max")
        );
        assertEq(keccak256(bytes.concat(first, second)), _word(item, "hash"));
        bytes32 version0 = keccak256(abi.encode(0, 0, 1024, 22, 22, 0, 0, 0, 0));
        assertEq(version0, _word(item, "version_0_of_1024_pages"));
    }

    function _terms(string memory item) private view returns (DealTerms memory t) {
        item = string.concat(item, ".terms");
        t.buyer = _address(item, "buyer");
        t.wallet = _address(item, "wallet");
        t.buyerNonce = _word(item, "buyer_nonce");
        t.hubNonce = _word(item, "hub_nonce");
        t.seedCommitment = _word(item, "seed_commitment");
        t.jobRoot = _word(item, "job_root");
        t.unitCount = uint32(_number(item, "unit_count"));
        t.mode = uint8(_number(item, "mode"));
        t.modeParams = _word(item, "mode_params");
        t.machineVersion = uint32(_number(item, "machine_version"));
        t.machineParams = _word(item, "machine_params");
        t.pricePerPu = uint128(_number(item, "price_per_pu"));
        t.cap = uint128(_number(item, "cap"));
        t.guarantee = uint128(_number(item, "guarantee"));
        t.royaltyTo = _address(item, "royalty_to");
        t.royaltyPerMille = uint16(_number(item, "royalty_per_mille"));
        t.court = _address(item, "court");
        t.clockStart = uint64(_number(item, "clock_start"));
        t.openBy = uint64(_number(item, "open_by"));
        t.deliverBy = uint64(_number(item, "deliver_by"));
        t.window = uint64(_number(item, "window"));
    }

    function _claim(string memory item) private view returns (Claim memory c) {
        item = string.concat(item, ".claim");
        c.dealId = DealId.wrap(_word(item, "deal_id"));
        c.unit = uint32(_number(item, "unit"));
        c.owner = _address(item, "owner");
        c.programRoot = _word(item, "program_root");
        c.inputRoot = _word(item, "input_root");
        c.status = uint8(_number(item, "status"));
        c.exitCode = uint32(_number(item, "exit_code"));
        c.cu = uint64(_number(item, "cu"));
        c.outputRoot = _word(item, "output_root");
        c.outputLength = uint64(_number(item, "output_length"));
        c.contentRoot = _word(item, "content_root");
    }

    function test_r01_vectors_dealsAndTheirSeeds() public {
        for (uint256 i = 0; i < _count("deals"); ++i) {
            string memory item = _item("deals", i);
            DealTerms memory terms = _terms(item);
            bytes32 domain = Typed.domain(_number(item, "chain_id"), terms.wallet);
            assertEq(domain, _word(item, "domain_separator"), "domain");
            assertEq(Typed.termsHash(terms), _word(item, "struct_hash"), "struct hash of the builder");
            assertEq(harness.termsHash(terms), _word(item, "struct_hash"), "struct hash of the contract");
            assertEq(Typed.digest(domain, harness.termsHash(terms)), _word(item, "deal_id"), "deal id");

            bytes32 seed = keccak256(bytes.concat(terms.buyerNonce, terms.hubNonce));
            assertEq(seed, _word(item, "deal_seed"));
            bytes32 unitSeed = keccak256(bytes.concat(keccak256("gio.unit-seed.v1"), seed, bytes4(uint32(7))));
            assertEq(unitSeed, _word(item, "unit_seed_7"));
        }
    }

    function test_r14_vectors_claimsAndWords() public view {
        for (uint256 i = 0; i < _count("deals"); ++i) {
            string memory item = _item("deals", i);
            bytes32 domain = _word(item, "domain_separator");
            DealId dealId = DealId.wrap(_word(item, "deal_id"));
            Claim memory claim = _claim(item);
            assertEq(harness.claimHash(claim), _word(item, "claim_hash"), "claim hash of the contract");
            assertEq(Typed.claimHash(claim), _word(item, "claim_hash"), "claim hash of the builder");
            assertEq(Typed.digest(domain, harness.claimHash(claim)), _word(item, "claim_digest"));

            bytes32 acceptance = Typed.acceptance(dealId, claim.unit, harness.claimHash(claim));
            assertEq(Typed.digest(domain, acceptance), _word(item, "acceptance_digest"));
            bytes32 confirmation = harness.confirmation(dealId, _word(item, "result_root"));
            assertEq(Typed.digest(domain, confirmation), _word(item, "confirmation_digest"));
            bytes32 cancellation = harness.cancellation(dealId, uint128(_number(item, "cancellation_payment")));
            assertEq(Typed.digest(domain, cancellation), _word(item, "cancellation_digest"));
        }
    }

    /// @dev What a miner keeps is evidence for any one of its claims: root and countersignature, and the path to it. The
    /// root commits to the order of the acceptances and to their number.
    function test_r14_vectors_acceptancesOfOneMessage() public view {
        for (uint256 i = 0; i < _count("deals"); ++i) {
            string memory item = _item("deals", i);
            bytes32[] memory leaves = json.readBytes32Array(string.concat(item, ".acceptances"));
            _checkAcceptances(item, leaves);
            bytes32 root = _word(item, "acceptances_root");
            assertEq(_acceptancesRoot(leaves), root, "root");
            bytes32 digest = Typed.digest(_word(item, "domain_separator"), Typed.acceptances(root));
            assertEq(digest, _word(item, "acceptances_digest"), "digest");
            _checkSignature(item, "hub_key", "acceptances_digest", "countersignature");
            assertEq(ECDSA.recover(digest, _bytes(item, "countersignature")), vm.addr(uint256(_word(item, "hub_key"))));

            uint256 index = _number(item, "acceptances_proof_index");
            bytes32[] memory proof = json.readBytes32Array(string.concat(item, ".acceptances_proof"));
            assertEq(_opened(leaves.length, index, leaves[index], proof), root, "one of them");
            assertNotEq(_opened(leaves.length, index - 1, leaves[index], proof), root, "at another place");
            assertNotEq(_opened(leaves.length + 1, index, leaves[index], proof), root, "among more");
            (leaves[0], leaves[1]) = (leaves[1], leaves[0]);
            assertNotEq(_acceptancesRoot(leaves), root, "in another order");
        }
    }

    /// @dev The leaves are the struct hashes of acceptances, the first that of the vector's own claim.
    function _checkAcceptances(string memory item, bytes32[] memory leaves) private view {
        Claim memory claim = _claim(item);
        uint32 first = claim.unit;
        for (uint256 i = 0; i < leaves.length; ++i) {
            claim.unit = first + uint32(i);
            assertEq(Typed.acceptance(claim.dealId, claim.unit, harness.claimHash(claim)), leaves[i], "acceptance");
        }
    }

    function _acceptancesRoot(bytes32[] memory leaves) private pure returns (bytes32) {
        bytes32[][] memory levels = JobTreeBuilder.buildFrom(leaves);
        return JobTreeBuilder.rootOf(leaves.length, levels[levels.length - 1][0]);
    }

    /// @dev The root that a leaf at a place leads to by the nodes of the job tree's form.
    function _opened(uint256 count, uint256 index, bytes32 node, bytes32[] memory proof)
        private
        pure
        returns (bytes32)
    {
        for (uint256 level = 0; level < proof.length; ++level) {
            bool isRight = (index >> level) & 1 == 1;
            node = isRight ? JobTree.nodeHash(proof[level], node) : JobTree.nodeHash(node, proof[level]);
        }
        return JobTree.rootOf(uint32(count), node);
    }

    /// @dev Keys, digests and signatures are those of Rust, byte for byte: both sign deterministically (RFC 6979).
    function test_vectors_signatures() public view {
        for (uint256 i = 0; i < _count("deals"); ++i) {
            string memory item = _item("deals", i);
            _checkSignature(item, "buyer_key", "deal_id", "buyer_signature");
            _checkSignature(item, "hub_key", "deal_id", "hub_signature");
            _checkSignature(item, "miner_key", "claim_digest", "claim_signature");
        }
    }

    function _checkSignature(string memory item, string memory key, string memory digest, string memory signature)
        private
        view
    {
        Account memory signer = Account({addr: address(0), key: uint256(_word(item, key))});
        assertEq(_sign(signer, _word(item, digest)), _bytes(item, signature), signature);
    }

    /// @dev A wallet standing at the vector's address on the vector's chain opens the deal with Rust's two signatures.
    function test_r01_vectors_dealsOpenWithRustsSignatures() public {
        for (uint256 i = 0; i < _count("deals"); ++i) {
            string memory item = _item("deals", i);
            DealTerms memory terms = _terms(item);
            address owner = vm.addr(uint256(_word(item, "hub_key")));
            vm.chainId(_number(item, "chain_id"));
            vm.warp(terms.openBy);
            _standUp(terms.wallet, owner, bytes32(i));
            _fund(terms.buyer, terms.cap);
            vm.prank(terms.buyer);
            token.approve(terms.wallet, terms.cap);

            wallet = HubWallet(terms.wallet);
            assertEq(DealId.unwrap(wallet.dealIdOf(terms)), _word(item, "deal_id"));
            wallet.open(terms, _bytes(item, "buyer_signature"), _bytes(item, "hub_signature"), _noPermit());
            _assertState(DealId.wrap(_word(item, "deal_id")), DealState.Open);
        }
    }

    /// @dev A registered wallet of `owner` at an address of the vectors' choice.
    function _standUp(address place, address owner, bytes32 salt) private {
        // Two of the deals share a wallet on different chains: it is set up once.
        if (place.code.length != 0) return;
        vm.etch(place, address(_createHub(owner, salt)).code);
        vm.prank(address(factory));
        whitelist.list(place, owner);
        _fund(place, HUB_MONEY);
        vm.prank(owner);
        HubWallet(place).register(_record());
    }

    /* AMOUNTS */

    function test_r02_vectors_bills() public view {
        for (uint256 i = 0; i < _count("amounts.bills"); ++i) {
            string memory item = _item("amounts.bills", i);
            uint128 payment = harness.payment(
                uint128(_number(item, "cap")), uint64(_number(item, "cu")), uint128(_number(item, "price_per_pu"))
            );
            assertEq(payment, _number(item, "payment"));
        }
    }

    function test_vectors_payouts() public view {
        for (uint256 i = 0; i < _count("amounts.payouts"); ++i) {
            string memory item = _item("amounts.payouts", i);
            uint128 gross = uint128(_number(item, "gross"));
            assertEq(wallet.grossOf(uint128(_number(item, "net"))), gross, "gross");
            assertEq(wallet.lockOf(gross), _number(item, "lock"), "lock");
        }
    }
}
