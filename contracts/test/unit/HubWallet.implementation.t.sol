// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HubWallet} from "src/HubWallet.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {Claim, DealTerms, SumNode, SumStep, UnitLeaf} from "src/types/Deal.sol";
import {WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice The implementation serves its clones only, and a clone has nothing to initialise (R11).
contract HubWalletImplementationTest is BaseTest {
    function _refused(bytes memory call) private {
        vm.expectRevert(IHubWallet.CallToImplementation.selector);
        (bool ok,) = address(implementation).call(call);
        assertTrue(ok, "expectRevert answers for the call");
    }

    function test_r11_implementation_rejectsEveryStateChangingCall(address caller) public {
        vm.startPrank(caller);
        DealTerms memory terms = _terms();
        UnitLeaf memory unit;
        Claim memory claim;
        _refused(abi.encodeCall(IHubWallet.register, (_record())));
        _refused(abi.encodeCall(IHubWallet.transfer, (miner, 1)));
        _refused(abi.encodeCall(IHubWallet.transferNet, (miner, 1)));
        _refused(abi.encodeCall(IHubWallet.reconcile, (new address[](1))));
        _refused(abi.encodeCall(IHubWallet.postPayout, (0, 1, 0)));
        _refused(abi.encodeCall(IHubWallet.claimPayout, (0, 1, 0, miner, 1, new bytes32[](0))));
        _refused(abi.encodeCall(IHubWallet.payday, ()));
        _refused(abi.encodeCall(IHubWallet.withdraw, ()));
        _refused(abi.encodeCall(IHubWallet.suspect, (1)));
        _refused(abi.encodeCall(IHubWallet.rehab, ()));
        _refused(abi.encodeCall(IHubWallet.ban, ()));
        _refused(abi.encodeCall(IHubWallet.expropriate, ()));
        _refused(abi.encodeCall(IHubWallet.giveBack, (terms)));
        _refused(abi.encodeCall(IHubWallet.open, (terms, "", "", _noPermit())));
        _refused(abi.encodeCall(IHubWallet.postResult, (terms, 0, 0, 0)));
        _refused(abi.encodeCall(IHubWallet.confirm, (terms, 0, "")));
        _refused(abi.encodeCall(IHubWallet.settle, (terms)));
        _refused(abi.encodeCall(IHubWallet.refund, (terms)));
        _refused(abi.encodeCall(IHubWallet.cancel, (terms, 0, "", "")));
        _refused(abi.encodeCall(IHubWallet.refuteSum, (terms, new SumStep[](0))));
        _refused(abi.encodeCall(IHubWallet.refuteBill, (terms, unit, new bytes32[](0), claim, 0, new SumNode[](0))));
        _refused(abi.encodeCall(IHubWallet.owner, ()));
        _refused(abi.encodeCall(IHubWallet.config, ()));
    }

    /// @dev The list above is complete: this many functions change state.
    function test_r11_implementation_listIsComplete() public view {
        string memory artifact = vm.readFile("abi/HubWallet.json");
        uint256 changing = 0;
        for (uint256 i = 0;; ++i) {
            string memory item = string.concat("$[", vm.toString(i), "]");
            if (!vm.keyExistsJson(artifact, item)) break;
            string memory key = string.concat(item, ".stateMutability");
            if (!vm.keyExistsJson(artifact, key)) continue;
            bytes32 mutability = keccak256(bytes(vm.parseJsonString(artifact, key)));
            bytes32 kind = keccak256(bytes(vm.parseJsonString(artifact, string.concat(item, ".type"))));
            if (kind == keccak256("function") && mutability == keccak256("nonpayable")) ++changing;
            assertNotEq(mutability, keccak256("payable"), "no ether in here");
        }
        assertEq(changing, 21);
    }

    /// @dev A clone made by anyone with arguments of its choice is its own wallet and touches no other.
    function test_r11_clone_storageIsItsOwn() public {
        _register();
        HubWallet second = _createHub(hub.addr, "second");
        assertEq(uint8(wallet.state()), uint8(WalletState.Registered));
        assertEq(uint8(second.state()), uint8(WalletState.Created));
        assertEq(uint8(implementation.state()), uint8(WalletState.Created));
    }

    function test_r11_clone_domainIsItsOwn(uint64 chainId) public {
        vm.assume(chainId != 0);
        vm.chainId(chainId);
        (, string memory name, string memory version, uint256 chain, address verifying,,) = wallet.eip712Domain();
        assertEq(name, "GIO");
        assertEq(version, "1");
        assertEq(chain, chainId);
        assertEq(verifying, address(wallet));
    }

    /// @dev HW-17: nothing in the code can dismantle a wallet or run foreign code in it.
    function test_r11_implementation_hasNoSelfdestructDelegatecallOrCallcode() public view {
        bytes memory code = address(implementation).code;
        for (uint256 i = 0; i < code.length; ++i) {
            uint8 op = uint8(code[i]);
            assertTrue(op != 0xff && op != 0xf4 && op != 0xf2, "forbidden instruction");
            if (op == 0xfe) break; // INVALID ends the code; constants follow
            if (op >= 0x60 && op <= 0x7f) i += op - 0x5f; // PUSH data is no code
        }
    }
}
