// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {GioToken} from "src/GioToken.sol";
import {MinerRegistry} from "src/MinerRegistry.sol";
import {Miner, RegistryParameters} from "src/types/Miner.sol";

/// @notice A registry with a court, one bonded owner and one machine's key.
abstract contract RegistryBase is Test {
    uint128 internal constant GIO = 1e8;
    uint128 internal constant SUPPLY = 20_000_000 * GIO;
    uint128 internal constant BOND_MIN = 10 * GIO;
    uint128 internal constant BOND = 100 * GIO;
    uint64 internal constant GENESIS = 1_790_000_000;
    uint32 internal constant DELAY = 30 days + 2 * 84 hours + 1 days;

    Account internal owner = makeAccount("owner");
    Account internal other = makeAccount("other");
    Account internal machine = makeAccount("machine");
    address internal court = makeAddr("court");
    address internal challenger = makeAddr("challenger");
    address internal faucet = makeAddr("faucet");

    GioToken internal token;
    MinerRegistry internal registry;

    function setUp() public virtual {
        vm.warp(GENESIS);
        token = new GioToken(makeAddr("bridge"), faucet, SUPPLY);
        registry = new MinerRegistry(token, court, _registryParameters());
        _bond(owner.addr, BOND);
    }

    function _registryParameters() internal pure returns (RegistryParameters memory) {
        return RegistryParameters({bondMin: BOND_MIN, clock: 84 hours, grace: 1 days});
    }

    function _fundFor(address who, uint256 amount) internal {
        vm.prank(faucet);
        token.transfer(who, amount);
        vm.prank(who);
        token.approve(address(registry), amount);
    }

    function _bond(address who, uint128 amount) internal {
        _fundFor(who, amount);
        vm.prank(who);
        registry.bond(who, amount);
    }

    function _consent(Account memory key, address to, uint256 nonce, uint64 deadline)
        internal
        view
        returns (bytes memory)
    {
        return _sign(key, _consentDigest(block.chainid, address(registry), key.addr, to, nonce, deadline));
    }

    /// @dev Written from the words of {IMinerRegistry-delegateKey}, not taken from the contract.
    function _consentDigest(uint256 chainId, address verifier, address key, address to, uint256 nonce, uint64 deadline)
        internal
        pure
        returns (bytes32)
    {
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(abi.encode(domainType, keccak256("GIO"), keccak256("1"), chainId, verifier));
        bytes32 consentType = keccak256("Delegation(address key,address owner,uint256 nonce,uint64 deadline)");
        bytes32 structHash = keccak256(abi.encode(consentType, key, to, nonce, deadline));
        return keccak256(bytes.concat(hex"1901", domain, structHash));
    }

    function _sign(Account memory by, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(by.key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _delegate(Account memory key, address to) internal {
        uint64 deadline = uint64(block.timestamp);
        bytes memory consent = _consent(key, to, registry.nonces(key.addr), deadline);
        vm.prank(to);
        registry.delegateKey(key.addr, deadline, consent);
    }

    function _assertMiner(address who, uint128 bond, uint128 atRisk, uint128 leaving, uint64 leavesAt) internal view {
        Miner memory m = registry.miner(who);
        assertEq(m.bond, bond, "bond");
        assertEq(m.atRisk, atRisk, "at risk");
        assertEq(m.leaving, leaving, "leaving");
        assertEq(m.leavesAt, leavesAt, "leaves at");
    }
}
